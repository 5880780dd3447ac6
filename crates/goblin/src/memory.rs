//! Where memory comes from. Each request makes many small allocations, on several threads, and somebody who signs in takes
//! many megabytes for a moment: mimalloc takes less time for the former than the C library. Without huge pages, and told to
//! give back at once what is free, it keeps as little of the latter; goblin shares a small machine with its models.

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of mimalloc 3 (`enum mi_option_e` of its `mimalloc.h`), in milliseconds.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Free memory is given back at once, unless the environment says otherwise (`MIMALLOC_PURGE_DELAY`). To be called first.
pub(crate) fn set_up() {
    // SAFETY: it stores a number in a table of the library's own; there is no other thread yet.
    #[allow(unsafe_code, reason = "the crate has no safe form of mimalloc's options")]
    unsafe {
        libmimalloc_sys::mi_option_set_default(PURGE_DELAY, 0);
    }
}
