// Notes are those of the kernel's fs/binfmt_elf.c; the rest is libdwfl's.
#include "watchdog/inspect/core_target.h"

#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <gelf.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "watchdog/debug_file.h"
#include "watchdog/elf_file.h"
#include "watchdog/inspect/registers.h"
#include "watchdog/inspect/variable_name.h"

namespace lockwarden {
namespace {

const Dwfl_Callbacks kFiles = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = FindDebugFile,
    .section_address = nullptr,
    .debuginfo_path = nullptr,
};

struct CoreThread {
  uint32_t tid = 0;
  user_regs_struct registers = {};
};

// Memory that the core has: a segment's part that lies within the file.
struct CoreSegment {
  uint64_t begin = 0, size = 0, offset = 0;
};

class CoreKernelView : public KernelView {
 public:
  CoreKernelView(int fd, const std::vector<CoreThread>* threads,
                 const std::vector<CoreSegment>* segments, const std::string* name)
      : fd_(fd), threads_(threads), segments_(segments), name_(name) {}

  KernelThread Thread(uint32_t tid) override {
    KernelThread thread;
    for (const CoreThread& known : *threads_) {
      if (known.tid != tid) continue;
      thread.exists = true;
      thread.syscall = -1;
      ReadSystemCall(known.registers, &thread);
      thread.state = *thread.syscall >= 0 ? 'S' : 'R';
      if (known.tid == threads_->front().tid) thread.comm = *name_;
    }
    return thread;
  }
  std::optional<std::vector<uint32_t>> Tids() override {
    std::vector<uint32_t> tids;
    for (const CoreThread& thread : *threads_) tids.push_back(thread.tid);
    return tids;
  }
  bool ReadMemory(uint64_t address, void* out, size_t size) override {
    const auto after = std::upper_bound(
        segments_->begin(), segments_->end(), address,
        [](uint64_t wanted, const CoreSegment& segment) { return wanted < segment.begin; });
    if (after == segments_->begin()) return false;
    const CoreSegment& segment = *std::prev(after);
    const uint64_t into = address - segment.begin;
    if (into >= segment.size || size > segment.size - into) return false;
    return pread(fd_, out, size, static_cast<off_t>(segment.offset + into)) ==
           static_cast<ssize_t>(size);
  }

 private:
  const int fd_;
  const std::vector<CoreThread>* threads_;
  const std::vector<CoreSegment>* segments_;
  const std::string* name_;
};

int CollectFrame(Dwfl_Frame* frame, void* argument) {
  auto* pcs = static_cast<std::vector<uint64_t>*>(argument);
  Dwarf_Addr pc = 0;
  bool activation = false;
  if (pcs->size() == pcs->capacity() || !dwfl_frame_pc(frame, &pc, &activation)) {
    return DWARF_CB_ABORT;
  }
  pcs->push_back(activation ? pc + 1 : pc);
  return DWARF_CB_OK;
}

}  // namespace

class CoreTarget::Impl {
 public:
  ~Impl() {
    if (dwfl != nullptr) dwfl_end(dwfl);
    if (elf != nullptr) elf_end(elf);
  }

  absl::Status Begin(const std::string& path, const std::string& exe_path) {
    file = OpenRegular(path);
    if (!file.valid()) file = UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat about;
    if (!file.valid() || fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": no file that can be read"));
    }
    elf_version(EV_CURRENT);
    elf = elf_begin(file.get(), ELF_C_READ_MMAP, nullptr);
    GElf_Ehdr header;
    if (elf == nullptr || gelf_getehdr(elf, &header) == nullptr || header.e_type != ET_CORE) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": not a core file"));
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": the core of a 32-bit program, which this lockwarden does not know"));
    }
    ReadHeaders(static_cast<uint64_t>(about.st_size));
    if (threads.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": the core has no threads in it"));
    }
    exe = exe_path;
    dwfl = dwfl_begin(&kFiles);
    if (dwfl == nullptr) return absl::InternalError("libdwfl does not start");
    dwfl_report_begin(dwfl);
    const int modules = dwfl_core_file_report(dwfl, elf, exe.empty() ? nullptr : exe.c_str());
    dwfl_report_end(dwfl, nullptr, nullptr);
    if (modules < 0 || dwfl_core_file_attach(dwfl, elf) < 0) {
      unwinds = false;
      notes.push_back(absl::StrCat("No stacks: ", dwfl_errmsg(-1), "."));
    }
    view = std::make_unique<CoreKernelView>(file.get(), &threads, &segments, &name);
    NoteMissingFiles();
    return absl::OkStatus();
  }

  void ReadHeaders(uint64_t file_size) {
    size_t count = 0;
    if (elf_getphdrnum(elf, &count) != 0) return;
    uint64_t missing = 0;
    for (size_t i = 0; i < count; ++i) {
      GElf_Phdr segment;
      if (gelf_getphdr(elf, static_cast<int>(i), &segment) == nullptr) continue;
      const uint64_t there = segment.p_offset >= file_size
                                 ? 0
                                 : std::min(segment.p_filesz, file_size - segment.p_offset);
      missing += segment.p_filesz - there;
      if (segment.p_type == PT_NOTE && there == segment.p_filesz) ReadNotes(segment);
      if (segment.p_type == PT_LOAD && there != 0) {
        segments.push_back({segment.p_vaddr, there, segment.p_offset});
      }
    }
    std::sort(segments.begin(), segments.end(),
              [](const CoreSegment& a, const CoreSegment& b) { return a.begin < b.begin; });
    if (missing != 0) {
      notes.push_back(
          absl::StrCat("The core is truncated: ", missing,
                       " bytes of memory are missing at its end. What lay there, "
                       "perhaps locks or stacks, cannot be shown. (ulimit -c, the disk, "
                       "or ProcessSizeMax of systemd-coredump cut it.)"));
    }
  }

  void ReadNotes(const GElf_Phdr& segment) {
    Elf_Data* data = elf_getdata_rawchunk(elf, static_cast<int64_t>(segment.p_offset),
                                          segment.p_filesz, ELF_T_NHDR);
    if (data == nullptr) return;
    GElf_Nhdr note;
    size_t name_at = 0, at = 0;
    for (size_t next = 0; (next = gelf_getnote(data, at, &note, &name_at, &at)) > 0; at = next) {
      const char* bytes = static_cast<const char*>(data->d_buf) + at;
      if (note.n_type == NT_PRSTATUS && note.n_descsz >= sizeof(elf_prstatus)) {
        elf_prstatus status;
        std::memcpy(&status, bytes, sizeof(status));
        CoreThread thread;
        thread.tid = static_cast<uint32_t>(status.pr_pid);
        static_assert(sizeof(status.pr_reg) == sizeof(thread.registers));
        std::memcpy(&thread.registers, &status.pr_reg, sizeof(thread.registers));
        if (threads.empty()) signal = status.pr_cursig;
        threads.push_back(thread);
      } else if (note.n_type == NT_PRPSINFO && note.n_descsz >= sizeof(elf_prpsinfo)) {
        elf_prpsinfo info;
        std::memcpy(&info, bytes, sizeof(info));
        pid = info.pr_pid;
        name.assign(info.pr_fname, strnlen(info.pr_fname, sizeof(info.pr_fname)));
      }
    }
  }

  template <class Visit>
  void EachModule(Visit visit) const {
    dwfl_getmodules(
        dwfl,
        [](Dwfl_Module* module, void**, const char* module_name, Dwarf_Addr, void* argument) {
          (*static_cast<Visit*>(argument))(module, module_name);
          return static_cast<int>(DWARF_CB_OK);
        },
        &visit, 0);
  }

  void NoteMissingFiles() {
    std::vector<std::string> missing;
    EachModule([&](Dwfl_Module* module, const char* module_name) {
      GElf_Addr bias = 0;
      const std::string called = module_name == nullptr ? "" : module_name;
      if (dwfl_module_getelf(module, &bias) != nullptr || called.empty() || called[0] == '[')
        return;
      missing.push_back(called);
    });
    for (const std::string& path : missing) {
      notes.push_back(absl::StrCat("Not found here, or another build: ", path,
                                   ". Stacks through it may end early, and lack names."));
    }
  }

  UniqueFd file;
  Elf* elf = nullptr;
  Dwfl* dwfl = nullptr;
  bool unwinds = true;
  std::string exe, name;
  int pid = 0, signal = 0;
  std::vector<CoreThread> threads;  // as in the core: the one that died first
  std::vector<CoreSegment> segments;
  std::vector<std::string> notes;
  std::unique_ptr<CoreKernelView> view;
};

absl::StatusOr<std::unique_ptr<CoreTarget>> CoreTarget::Open(const std::string& core,
                                                             const std::string& exe) {
  auto impl = std::make_unique<Impl>();
  if (absl::Status status = impl->Begin(core, exe); !status.ok()) return status;
  return std::unique_ptr<CoreTarget>(new CoreTarget(std::move(impl)));
}

CoreTarget::CoreTarget(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CoreTarget::~CoreTarget() = default;
int CoreTarget::pid() const { return impl_->pid; }
int CoreTarget::signal() const { return impl_->signal; }
KernelView* CoreTarget::kernel() { return impl_->view.get(); }
const std::vector<std::string>& CoreTarget::notes() const { return impl_->notes; }

std::string CoreTarget::program() const {
  if (!impl_->exe.empty()) return impl_->exe;
  std::string path;
  impl_->EachModule([&](Dwfl_Module* module, const char*) {
    const char* file = nullptr;
    dwfl_module_info(module, nullptr, nullptr, nullptr, nullptr, nullptr, &file, nullptr);
    const std::string found = file == nullptr ? "" : file;
    const std::string base = found.substr(found.rfind('/') + 1);
    if (path.empty() && !base.empty() && base.substr(0, 15) == impl_->name) path = found;
  });
  return path.empty() ? impl_->name : path;
}

std::vector<ModuleInfo> CoreTarget::Modules() const {
  std::vector<ModuleInfo> modules;
  impl_->EachModule([&](Dwfl_Module* module, const char* name) {
    Dwarf_Addr begin = 0, end = 0;
    const char* file = nullptr;
    dwfl_module_info(module, nullptr, &begin, &end, nullptr, nullptr, &file, nullptr);
    GElf_Addr bias = 0;
    ModuleInfo info;
    info.base = dwfl_module_getelf(module, &bias) == nullptr ? begin : bias;
    info.begin = begin;
    info.end = end;
    info.path = file != nullptr ? file : name != nullptr ? name : "";
    const unsigned char* bits = nullptr;
    GElf_Addr where = 0;
    const int size = dwfl_module_build_id(module, &bits, &where);
    if (size > 0)
      info.build_id.assign(reinterpret_cast<const char*>(bits), static_cast<size_t>(size));
    modules.push_back(std::move(info));
  });
  return modules;
}

ProcessStacks CoreTarget::Stacks(const StackLimits& limits, StackResolver* resolver) {
  ProcessStacks stacks;
  for (const CoreThread& known : impl_->threads) {
    if (stacks.threads.size() == limits.threads) {
      ++stacks.left_out;
      continue;
    }
    ThreadStack thread;
    thread.tid = thread.inside = known.tid;
    thread.kernel = impl_->view->Thread(known.tid);
    if (impl_->unwinds) {
      thread.pcs.reserve(limits.frames);
      const int result = dwfl_getthread_frames(impl_->dwfl, static_cast<pid_t>(known.tid),
                                               CollectFrame, &thread.pcs);
      thread.method = StackMethod::kStopped;
      thread.consistent = true;
      thread.complete = result == 0;
      if (result < 0) {
        thread.why =
            absl::StrCat("no way to go on from frame ", thread.pcs.size(), ": ", dwfl_errmsg(-1));
      } else if (result != 0) {
        thread.why = absl::StrCat("more than ", limits.frames, " frames");
      }
    } else {
      thread.why = "the core's modules are not known";
    }
    if (resolver != nullptr) thread.frames = resolver->Resolve(thread.pcs);
    stacks.threads.push_back(std::move(thread));
  }
  return stacks;
}

std::string CoreTarget::VariableAt(uint64_t address) const {
  return VariableOf(impl_->dwfl, address);
}

}  // namespace lockwarden
