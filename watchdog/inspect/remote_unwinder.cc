// libdwfl asks for threads, registers and memory by callbacks; the process is a Dwfl and the
// thread that is being unwound its only one.
#include "watchdog/inspect/remote_unwinder.h"

#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <libelf.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "watchdog/debug_file.h"
#include "watchdog/elf_file.h"
#include "watchdog/inspect/variable_name.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {

class RemoteUnwinder::Impl {
 public:
  explicit Impl(int pid) : pid_(pid), other_root_(HasOtherRoot(pid)) {}
  ~Impl() {
    if (dwfl_ != nullptr) dwfl_end(dwfl_);
    if (machine_ != nullptr) elf_end(machine_);
  }

  bool Begin();
  UnwoundStack Unwind(const Registers& registers, ReadWord read, size_t most_frames);
  std::string VariableAt(uint64_t address) { return VariableOf(dwfl_, address); }
  uint64_t AddressOf(const char* part, const char* variable) {
    return AddressOfVariable(dwfl_, part, variable);
  }

 private:
  static Impl* Of(void* argument) { return static_cast<Impl*>(argument); }
  static int FindElf(Dwfl_Module* module, void** data, const char* name, Dwarf_Addr base,
                     char** file_name, Elf** elf);
  static int Claim(Dwfl_Module*, void** data, const char*, Dwarf_Addr, void* argument);
  static pid_t NextThread(Dwfl*, void* argument, void** previous);
  static bool GetThread(Dwfl*, pid_t thread, void* argument, void** out);
  static bool ReadMemory(Dwfl*, Dwarf_Addr address, Dwarf_Word* word, void* argument);
  static bool SetRegisters(Dwfl_Thread* thread, void* argument);
  static int OnFrame(Dwfl_Frame* frame, void* argument);

  static const Dwfl_Callbacks kFiles;
  static const Dwfl_Thread_Callbacks kThread;

  const int pid_;
  const bool other_root_;
  UniqueFd own_;  // behind machine_
  Elf* machine_ = nullptr;
  Dwfl* dwfl_ = nullptr;
  // Of the thread that is being unwound.
  const Registers* registers_ = nullptr;
  const ReadWord* read_ = nullptr;
  size_t most_frames_ = 0;
  UnwoundStack stack_;
};

const Dwfl_Callbacks RemoteUnwinder::Impl::kFiles = {
    .find_elf = FindElf,
    .find_debuginfo = FindDebugFile,
    .section_address = nullptr,  // relocatable files only
    .debuginfo_path = nullptr,
};

const Dwfl_Thread_Callbacks RemoteUnwinder::Impl::kThread = {
    .next_thread = NextThread,
    .get_thread = GetThread,
    .memory_read = ReadMemory,
    .set_initial_registers = SetRegisters,
    .detach = nullptr,
    .thread_detach = nullptr,
};

bool RemoteUnwinder::Impl::Begin() {
  elf_version(EV_CURRENT);
  // The processor is the one that this program runs on.
  own_ = UniqueFd(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  machine_ = elf_begin(own_.get(), ELF_C_READ, nullptr);
  dwfl_ = dwfl_begin(&kFiles);
  if (machine_ == nullptr || dwfl_ == nullptr) return false;
  dwfl_report_begin(dwfl_);
  const bool reported = dwfl_linux_proc_report(dwfl_, pid_) == 0;
  dwfl_report_end(dwfl_, nullptr, nullptr);
  dwfl_getmodules(dwfl_, Claim, this, 0);
  return reported && dwfl_attach_state(dwfl_, machine_, pid_, &kThread, this);
}

// A path means what it means to the process; what is deleted, and the vDSO, is in its memory.
int RemoteUnwinder::Impl::FindElf(Dwfl_Module* module, void** data, const char* name,
                                  Dwarf_Addr base, char** file_name, Elf** elf) {
  const absl::string_view path = name;
  if (!absl::StartsWith(path, "/") || absl::EndsWith(path, " (deleted)")) {
    return dwfl_linux_proc_find_elf(module, data, name, base, file_name, elf);
  }
  const Impl* self = *data == nullptr ? nullptr : Of(*data);
  const bool other_root = self != nullptr && self->other_root_;
  return (other_root ? OpenInRootOf(self->pid_, name) : OpenRegular(name)).release();
}

int RemoteUnwinder::Impl::Claim(Dwfl_Module*, void** data, const char*, Dwarf_Addr,
                                void* argument) {
  *data = argument;
  return DWARF_CB_OK;
}

pid_t RemoteUnwinder::Impl::NextThread(Dwfl*, void* argument, void** previous) {
  if (*previous != nullptr) return 0;
  *previous = argument;
  return Of(argument)->pid_;
}

bool RemoteUnwinder::Impl::GetThread(Dwfl*, pid_t, void* argument, void** out) {
  *out = argument;
  return true;
}

bool RemoteUnwinder::Impl::ReadMemory(Dwfl*, Dwarf_Addr address, Dwarf_Word* word, void* argument) {
  return (*Of(argument)->read_)(address, word);
}

bool RemoteUnwinder::Impl::SetRegisters(Dwfl_Thread* thread, void* argument) {
  const Registers& registers = *Of(argument)->registers_;
  for (unsigned i = 0; i < Registers::kCount; ++i) {
    if (registers.known[i] &&
        !dwfl_thread_state_registers(thread, static_cast<int>(i), 1, &registers.values[i])) {
      return false;
    }
  }
  dwfl_thread_state_register_pc(thread, registers.pc);
  return true;
}

int RemoteUnwinder::Impl::OnFrame(Dwfl_Frame* frame, void* argument) {
  Impl* self = Of(argument);
  std::vector<uint64_t>& pcs = self->stack_.pcs;
  if (pcs.size() >= self->most_frames_) {
    self->stack_.why_not = absl::StrCat("more than ", self->most_frames_, " frames");
    return DWARF_CB_ABORT;
  }
  Dwarf_Addr pc = 0;
  bool activation = false;
  if (!dwfl_frame_pc(frame, &pc, &activation)) return DWARF_CB_ABORT;
  pcs.push_back(activation ? pc + 1 : pc);
  return DWARF_CB_OK;
}

UnwoundStack RemoteUnwinder::Impl::Unwind(const Registers& registers, ReadWord read,
                                          size_t most_frames) {
  registers_ = &registers;
  read_ = &read;
  most_frames_ = most_frames;
  stack_ = UnwoundStack();
  const int result = dwfl_getthread_frames(dwfl_, pid_, OnFrame, this);
  stack_.complete = result == 0;
  if (!stack_.complete && stack_.why_not.empty()) {
    const char* why = result < 0 ? dwfl_errmsg(-1) : nullptr;
    stack_.why_not = absl::StrCat("no way to go on from frame ", stack_.pcs.size(),
                                  why == nullptr ? "" : absl::StrCat(": ", why));
  }
  return std::move(stack_);
}

std::unique_ptr<RemoteUnwinder> RemoteUnwinder::OfProcess(int pid) {
  auto impl = std::make_unique<Impl>(pid);
  if (!impl->Begin()) return nullptr;
  return std::unique_ptr<RemoteUnwinder>(new RemoteUnwinder(std::move(impl)));
}

RemoteUnwinder::RemoteUnwinder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RemoteUnwinder::~RemoteUnwinder() = default;
std::string RemoteUnwinder::VariableAt(uint64_t address) { return impl_->VariableAt(address); }
uint64_t RemoteUnwinder::AddressOf(const char* part, const char* variable) {
  return impl_->AddressOf(part, variable);
}
UnwoundStack RemoteUnwinder::Unwind(const Registers& registers, ReadWord read, size_t most_frames) {
  return impl_->Unwind(registers, read, most_frames);
}

}  // namespace lockwarden
