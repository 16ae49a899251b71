//! Components that fail under load.

use gateway_tests::guest;

use crate::scene::Scene;
use crate::sink::Sink;

#[tokio::test]
async fn a_filter_that_traps_on_every_thousandth_event_loses_nothing() {
    let path = guest("trapping-filter").display().to_string();
    let filter = format!("[[filters]]\ncomponent = '{path}'\non_error = 'pass'\n");
    let mut scene = Scene::with("trapping filter", Sink::Stdout, |setup| setup.file(&filter)).await;
    scene.events_arrive(1200).await;
    let failures = r#"gateway_component_failures_total{component="trapping_filter",reason="trap"}"#;
    scene.figure_is(failures, |failures| failures >= 2.0).await;
    scene.finish().await;
}
