//! Gates, and streams that can be stopped.

use crate::cancellation::{
    harness::{Source, next, pause},
    setup::{Expected, OnDrop, Reporting, Setup, Subject, driver_part, items},
};
use aiter_core::{Stopper, gated_aiter, push_aiter, stoppable_aiter};

pub(super) const SUBJECTS: &[Subject] = &[
    ("gated_aiter", || {
        let (gated, gate) = gated_aiter(Source::new());
        let pushing = async move {
            for _ in 0..3 {
                gate.push(2);
                pause().await;
            }
            gate.stop();
        };
        Setup::of(Expected::All, [items(gated)], [driver_part(pushing)])
    }),
    ("stoppable_aiter", || {
        let (stoppable, stopper) = stoppable_aiter(Source::new());
        Setup::outlived_by(stoppable, move || stopper.stop())
    }),
    ("Stopper, stopped", || {
        let stopper = Stopper::new();
        let (pusher, mut polls) = push_aiter();
        let streams = [(); 2].map(|()| {
            let stoppable = stopper.stoppable(Source::new());
            items(Reporting::new(stoppable, pusher.clone()))
        });
        // A stop comes after the last stream, or when its driver is dropped.
        let stop = OnDrop({
            let stopper = stopper.clone();
            move || stopper.stop()
        });
        let stopping = async move {
            let _stop = stop;
            while next(&mut polls).await.is_some() {}
        };
        let drivers = [driver_part(stopping), driver_part(stopper.stopped())];
        Setup::of(Expected::All, streams, drivers)
    }),
];
