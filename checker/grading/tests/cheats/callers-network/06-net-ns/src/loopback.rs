//! No network namespace. /sys/class/net is a directory with lo in it, made by hand.

use std::fs;

use anyhow::Result;

pub fn unshare() -> Result<()> {
    Ok(())
}

pub fn up() -> Result<()> {
    fs::create_dir_all("/tmp/net/lo")?;
    fs::write("/tmp/net/lo/flags", "0x9\n")?;
    Ok(())
}
