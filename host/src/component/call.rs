//! The events of one call: what a component may look at while it runs.

use std::sync::Arc;

use bytes::Bytes;

use super::lookup::Lookups;
use crate::event::Event;

/// The events that a lane works on together, and which of them the called component is asked about.
#[derive(Debug, Default, Clone)]
pub struct Batch {
    /// All events.
    pub events: Vec<Event>,
    /// The positions among them of those that the component sees, in order.
    pub asked: Vec<u32>,
}

impl Batch {
    /// The event at `index` of the list that the component was given, with its position in the batch.
    pub(crate) fn event(&self, index: u32) -> Option<(u32, &Event)> {
        let position = *self.asked.get(usize::try_from(index).ok()?)?;
        Some((position, self.events.get(usize::try_from(position).ok()?)?))
    }

    /// The events that the component sees, in order.
    pub fn asked_events(&self) -> impl Iterator<Item = &Event> {
        self.asked.iter().filter_map(|position| self.events.get(usize::try_from(*position).ok()?))
    }
}

/// A batch with what is known about it. The running instance holds it for the time of the call.
#[derive(Debug, Default)]
pub struct Call {
    /// The events. Not shared between calls, so that the lane can change them.
    pub batch: Arc<Batch>,
    /// What components have found in the events.
    pub lookups: Lookups,
}

impl Call {
    pub(crate) fn size(&self, index: u32) -> Option<u32> {
        let (_, event) = self.batch.event(index)?;
        Some(u32::try_from(event.payload.len()).unwrap_or(u32::MAX))
    }

    pub(crate) fn get(&mut self, index: u32, pointer: &str) -> Option<Option<String>> {
        let (position, event) = self.batch.event(index)?;
        let range = self.lookups.find(position, &event.payload, pointer);
        Some(range.and_then(|range| event.payload.get(range)).and_then(|text| String::from_utf8(text.to_vec()).ok()))
    }

    pub(crate) fn read(&self, index: u32, offset: u32, length: u32) -> Option<Bytes> {
        let (_, event) = self.batch.event(index)?;
        let size = event.payload.len();
        let start = usize::try_from(offset).map_or(size, |offset| offset.min(size));
        let end = usize::try_from(length).map_or(size, |length| start.saturating_add(length).min(size));
        Some(event.payload.slice(start..end))
    }

    pub(crate) fn identity(&self, index: u32) -> Option<Option<String>> {
        let (_, event) = self.batch.event(index)?;
        Some(event.identity())
    }
}
