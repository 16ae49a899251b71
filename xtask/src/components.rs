//! Builds the bundled components and the examples, and shows what they import.

use std::path::Path;

use anyhow::{Context, Result};
use wasmparser::{Parser, Payload};

use crate::setup;

/// The folder of the examples, each a project by itself.
pub(crate) const EXAMPLES: &str = "components/examples/rust";

/// Prints the name, size and imports of each bundled component, and of each example.
pub(crate) fn list(workspace: &Path) -> Result<()> {
    let toolchain = setup::set_up(workspace)?;
    let target = workspace.join("target").join("components");
    let bundled = guest_build::build(&toolchain, &workspace.join("components"), &target)?;
    let examples = guest_build::build_projects(&toolchain, &workspace.join(EXAMPLES), &target)?;
    for guest in bundled.into_iter().chain(examples) {
        let bytes = std::fs::read(&guest.component)?;
        println!("{} ({} bytes)", guest.name, bytes.len());
        for import in imports(&bytes).with_context(|| format!("{} is no component", guest.component.display()))? {
            println!("  {import}");
        }
    }
    Ok(())
}

/// The names of everything that a component imports, in its own order.
fn imports(component: &[u8]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut nesting = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ComponentImportSection(section) if nesting == 0 => {
                for import in section {
                    names.push(import?.name.name.to_owned());
                }
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => nesting += 1,
            // The last end is that of the component itself.
            Payload::End(_) => nesting = nesting.saturating_sub(1),
            _ => {}
        }
    }
    Ok(names)
}
