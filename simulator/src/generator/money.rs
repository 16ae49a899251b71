//! Entitlements and subscriptions, which come to shard 0.

use serde_json::{Value, json};

use super::{Event, Scene};

fn entitlement(scene: &mut Scene<'_>) -> Value {
    json!({
        "id": scene.fresh(),
        "sku_id": "1019475255913222144",
        "application_id": scene.world.bot().to_string(),
        "user_id": scene.user_id(),
        "type": 8,
        "deleted": false,
        "consumed": false,
        "starts_at": scene.now(),
        "ends_at": scene.in_millis(2_592_000_000),
    })
}

pub(super) fn entitlement_create(scene: &mut Scene<'_>) -> Event {
    let data = entitlement(scene);
    scene.direct_event("ENTITLEMENT_CREATE", data)
}

pub(super) fn entitlement_update(scene: &mut Scene<'_>) -> Event {
    let data = entitlement(scene);
    scene.direct_event("ENTITLEMENT_UPDATE", data)
}

pub(super) fn entitlement_delete(scene: &mut Scene<'_>) -> Event {
    let data = entitlement(scene);
    scene.direct_event("ENTITLEMENT_DELETE", data)
}

fn subscription(scene: &mut Scene<'_>, status: u8) -> Value {
    json!({
        "id": scene.fresh(),
        "user_id": scene.user_id(),
        "sku_ids": ["1158857122189168803"],
        "entitlement_ids": [scene.fresh()],
        "renewal_sku_ids": null,
        "current_period_start": scene.now(),
        "current_period_end": scene.in_millis(2_592_000_000),
        "status": status,
        "canceled_at": null,
    })
}

pub(super) fn subscription_create(scene: &mut Scene<'_>) -> Event {
    let data = subscription(scene, 0);
    scene.direct_event("SUBSCRIPTION_CREATE", data)
}

pub(super) fn subscription_update(scene: &mut Scene<'_>) -> Event {
    let data = subscription(scene, 1);
    scene.direct_event("SUBSCRIPTION_UPDATE", data)
}

pub(super) fn subscription_delete(scene: &mut Scene<'_>) -> Event {
    let data = subscription(scene, 2);
    scene.direct_event("SUBSCRIPTION_DELETE", data)
}
