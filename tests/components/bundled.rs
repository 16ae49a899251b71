//! The bundled components and the examples import what they use, and nothing else.

use gateway_tests::example;
use spectacles_gateway::component::bundled;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

#[test]
fn bundled_components_import_exactly_what_they_use() {
    let names: Vec<_> = bundled::names().collect();
    assert_eq!(names, ["broker-amqp", "broker-redis", "broker-stdio", "filter-events"]);
    for (name, interfaces) in [
        ("broker-amqp", &["amqp", "content", "log", "payloads", "types"][..]),
        ("broker-redis", &["content", "log", "payloads", "redis", "types"]),
        ("broker-stdio", &["content", "log", "payloads", "stdio", "types"]),
        ("filter-events", &["types"]),
    ] {
        assert_eq!(imports(bundled::find(name).unwrap()), named(interfaces), "{name}");
    }
}

#[test]
fn no_bundled_adapter_can_see_a_payload() {
    for name in ["broker-amqp", "broker-redis", "broker-stdio"] {
        let engine = Engine::default();
        let component = Component::new(&engine, bundled::find(name).unwrap()).unwrap();
        let ComponentItem::ComponentInstance(payloads) =
            component.component_type().get_import(&engine, &named(&["payloads"])[0]).unwrap().ty
        else {
            panic!("{name}: an interface is an instance")
        };
        let functions: Vec<_> = payloads.exports(&engine).map(|(function, _)| function.to_owned()).collect();
        assert_eq!(functions, ["identity"], "{name}");
    }
}

#[test]
fn the_example_imports_exactly_what_it_uses() {
    let component = std::fs::read(example("route-by-guild")).unwrap();
    assert_eq!(imports(&component), named(&["amqp", "content", "payloads", "types"]));
}

#[test]
fn the_documentation_lists_the_imports_of_each_bundled_component() {
    let documentation = include_str!("../../docs/components.md");
    for name in bundled::names() {
        let imports = imports(bundled::find(name).unwrap());
        let imports: Vec<_> = imports.iter().map(|import| format!("`{import}`")).collect();
        let row = format!("| `{name}` | {} |", imports.join(", "));
        assert!(documentation.contains(&row), "docs/components.md should say: {row}");
    }
}

fn named(interfaces: &[&str]) -> Vec<String> {
    interfaces.iter().map(|interface| format!("spectacles:gateway/{interface}@0.1.0")).collect()
}

/// In alphabetical order.
fn imports(component: &[u8]) -> Vec<String> {
    let engine = Engine::default();
    let component = Component::new(&engine, component).unwrap();
    let mut imports: Vec<_> = component.component_type().imports(&engine).map(|(name, _)| name.to_owned()).collect();
    imports.sort();
    imports
}
