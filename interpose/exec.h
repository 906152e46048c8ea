// Whether a new image will bring the preload along.
#pragma once

namespace lockwarden::interpose {

// At load: is it the environment that brought us here? (/etc/ld.so.preload would again.)
void LookForPreload();

}  // namespace lockwarden::interpose
