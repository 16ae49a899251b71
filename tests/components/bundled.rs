//! The bundled components import what they use, and nothing else.

use spectacles_gateway::component::bundled;
use wasmtime::Engine;
use wasmtime::component::Component;

#[test]
fn bundled_components_import_exactly_what_they_use() {
    let names: Vec<_> = bundled::names().collect();
    assert_eq!(names, ["broker-stdio", "filter-events"]);
    assert_eq!(imports("filter-events"), ["spectacles:gateway/types@0.1.0"]);
    assert_eq!(
        imports("broker-stdio"),
        [
            "spectacles:gateway/log@0.1.0",
            "spectacles:gateway/payloads@0.1.0",
            "spectacles:gateway/stdio@0.1.0",
            "spectacles:gateway/types@0.1.0",
        ]
    );
}

#[test]
fn the_documentation_lists_the_imports_of_each_bundled_component() {
    let documentation = include_str!("../../docs/components.md");
    for name in bundled::names() {
        let imports: Vec<_> = imports(name).iter().map(|import| format!("`{import}`")).collect();
        let row = format!("| `{name}` | {} |", imports.join(", "));
        assert!(documentation.contains(&row), "docs/components.md should say: {row}");
    }
}

/// In alphabetical order.
fn imports(name: &str) -> Vec<String> {
    let engine = Engine::default();
    let component = Component::new(&engine, bundled::find(name).unwrap()).unwrap();
    let mut imports: Vec<_> = component.component_type().imports(&engine).map(|(name, _)| name.to_owned()).collect();
    imports.sort();
    imports
}
