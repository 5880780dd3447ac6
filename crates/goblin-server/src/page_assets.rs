//! The page's files, put into the binary by the build script.

/// One file of the built page.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its path below the page's root, without a leading slash.
    pub path: &'static str,
    /// Its entity tag, quotes included.
    pub tag: &'static str,
    /// Its bytes.
    pub plain: &'static [u8],
    /// Its brotli form, where that is smaller.
    pub brotli: Option<&'static [u8]>,
}

mod built {
    use super::Asset;

    include!(concat!(env!("OUT_DIR"), "/page_assets.rs"));
}

/// Every file, sorted by path. Empty when the page was not built.
pub fn embedded() -> &'static [Asset] {
    built::ASSETS
}

impl Asset {
    /// Does the file's name hold a hash of its content, so that it never changes under this name?
    pub(crate) fn is_immutable(&self) -> bool {
        self.path.starts_with("assets/")
    }

    /// The media type, by extension.
    pub(crate) fn media_type(&self) -> &'static str {
        match self.path.rsplit_once('.').map(|(_, extension)| extension) {
            Some("html") => "text/html; charset=utf-8",
            Some("js" | "mjs") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("json" | "map") => "application/json",
            Some("webmanifest") => "application/manifest+json",
            Some("svg") => "image/svg+xml",
            Some("png") => "image/png",
            Some("ico") => "image/x-icon",
            Some("webp") => "image/webp",
            Some("woff2") => "font/woff2",
            Some("txt") => "text/plain; charset=utf-8",
            Some("wasm") => "application/wasm",
            _ => "application/octet-stream",
        }
    }
}
