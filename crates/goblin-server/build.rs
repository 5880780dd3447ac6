//! Puts the built page into the binary: every file of `web/dist`, and its brotli form where that is smaller.
//!
//! Without a built page the binary still builds; it then says how to build the page.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Close to the best there is (11), at a tenth of the time.
const BROTLI_QUALITY: i32 = 9;
/// Files that are packed already gain nothing.
const PACKED: [&str; 6] = ["woff2", "png", "jpg", "jpeg", "webp", "avif"];

#[allow(
    clippy::disallowed_methods,
    reason = "cargo talks to build scripts through the environment"
)]
fn main() -> io::Result<()> {
    let var = |name: &str| env::var_os(name).map(PathBuf::from);
    let missing = |name: &str| io::Error::other(format!("cargo did not set {name}"));
    let here = var("CARGO_MANIFEST_DIR").ok_or_else(|| missing("CARGO_MANIFEST_DIR"))?;
    let out = var("OUT_DIR").ok_or_else(|| missing("OUT_DIR"))?;
    let dist = var("GOBLIN_WEB_DIST").unwrap_or_else(|| here.join("../../web/dist"));
    println!("cargo::rerun-if-env-changed=GOBLIN_WEB_DIST");
    println!("cargo::rerun-if-changed=build.rs");
    // A folder that is not there yet counts as changed each time: the page appears as soon as it is built.
    println!("cargo::rerun-if-changed={}", dist.display());

    let mut files = Vec::new();
    if dist.join("index.html").is_file() {
        collect(&dist, &mut files)?;
        files.sort();
    }
    let mut code = String::from("pub(super) static ASSETS: &[Asset] = &[\n");
    for (number, file) in files.iter().enumerate() {
        let name = file
            .strip_prefix(&dist)
            .unwrap_or(file)
            .to_string_lossy()
            .replace('\\', "/");
        let bytes = match fs::read(file) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                println!("cargo::warning=the page is being built right now: {name} went away; build again");
                continue;
            }
            Err(e) => return Err(e),
        };
        let brotli = packed(file, &bytes)?.map(|small| (out.join(format!("asset-{number}.br")), small));
        let small = match &brotli {
            None => "None".to_owned(),
            Some((path, small)) => {
                fs::write(path, small)?;
                format!("Some(include_bytes!({path:?}))")
            }
        };
        // A copy: building the page again while this crate compiles must not pull the file away.
        let plain = out.join(format!("asset-{number}"));
        fs::write(&plain, &bytes)?;
        let tag = format!("\"{:016x}\"", fnv1a(&bytes));
        writeln!(
            code,
            "    Asset {{ path: {name:?}, tag: {tag:?}, plain: include_bytes!({plain:?}), brotli: {small} }},"
        )
        .map_err(io::Error::other)?;
    }
    code.push_str("];\n");
    fs::write(out.join("page_assets.rs"), code)
}

/// Every file below `folder`, without hidden ones (Vite's manifest) and without the run-time configuration,
/// which the server answers itself.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || name == "config.json" {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn packed(file: &Path, bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let extension = file.extension().unwrap_or_default().to_string_lossy();
    if PACKED.contains(&&*extension) || bytes.len() < 256 {
        return Ok(None);
    }
    let mut small = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut small, 64 * 1024, BROTLI_QUALITY as u32, 22);
    writer.write_all(bytes)?;
    writer.flush()?;
    drop(writer);
    Ok((small.len() < bytes.len()).then_some(small))
}

/// FNV-1a, 64 bits: names a content for caches. Not a guard against anybody.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, b| {
        (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
    })
}
