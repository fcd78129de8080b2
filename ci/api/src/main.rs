//! Prints the public items of a crate, one a line, from the JSON that rustdoc has written. Run by `ci/api.sh`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which file?")?;
    // What every type has, and what derives give, is left out: the first says nothing, the second follows from the type.
    let api = public_api::Builder::from_rustdoc_json(path)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()?;
    print!("{api}");
    Ok(())
}
