//! Prints the public items of a crate, one per line, from the JSON that rustdoc has written.
//! `ci/api.sh` runs it.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which file?")?;
    // Implementations that every type has, and those of derives, are left out: the first carry no
    // information, and the second follow from the type.
    let api = public_api::Builder::from_rustdoc_json(path)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()?;
    print!("{api}");
    Ok(())
}
