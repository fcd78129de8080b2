//! An event bus: one stream of sensor events, and several modules that each process some of them.
//!
//! ```sh
//! cargo run -p aiter-tokio --example event_bus
//! ```
//!
//! The sensors do not know which modules listen. Each module reads a fork of the stream with a
//! bound of its own, and picks the events that concern it. The alarm and the climate control lose
//! nothing, however long they take. The display, which is slow, receives the latest events and
//! learns how many it has missed. A module that joins late starts with the events that are kept for
//! it. No module waits for another. The clock is simulated, so that a minute passes at once and the
//! figures are the same each time.
use aiter_tokio::{
    Fork, Hub, aiter_forker_with,
    bound::{Seen, skip, unbounded},
};
use futures_lite::{Stream, StreamExt, stream};
use std::{pin::Pin, time::Duration};
use tokio::time::sleep;

/// The number of events that are kept for modules that join late, or may lose some.
const KEPT: usize = 20;
const EVENTS: u32 = 600;
const BETWEEN_EVENTS: Duration = Duration::from_millis(100);

#[derive(Clone, Debug)]
enum Event {
    Temperature { celsius: f64 },
    Motion { room: u32 },
    Door { is_open: bool },
}

/// Makes the event of a number: every second event is a temperature, every sixth is a door that
/// opens or closes, and the rest are motion.
fn event(n: u32) -> Event {
    match n % 6 {
        0 | 2 | 4 => Event::Temperature {
            celsius: 20.0 + f64::from(n % 10) / 4.0,
        },
        3 => Event::Door {
            is_open: n % 12 == 3,
        },
        _ => Event::Motion { room: n % 7 },
    }
}

fn sensors() -> impl Stream<Item = Event> {
    stream::iter(0..EVENTS).then(|n| async move {
        sleep(BETWEEN_EVENTS).await;
        event(n)
    })
}

type Sensors = Pin<Box<dyn Stream<Item = Event>>>;

/// The events of a fork that loses none.
fn lossless(fork: Fork<Sensors>) -> impl Stream<Item = Seen<Event>> + Unpin {
    fork.map(|item| Seen { missed: 0, item })
}

/// The report of a module. Each event of the bus was either seen by the module or lost to it.
struct Report {
    module: &'static str,
    seen: usize,
    lost: usize,
    its_own: usize,
    says: String,
}

/// Reads the bus to its end. `process` processes an event and returns whether it concerns the
/// module.
async fn listen(
    module: &'static str,
    mut bus: impl Stream<Item = Seen<Event>> + Unpin,
    mut process: impl AsyncFnMut(Event) -> bool,
) -> Report {
    let (mut seen, mut lost, mut its_own) = (0, 0, 0);
    while let Some(Seen { missed, item }) = bus.next().await {
        lost += missed;
        seen += 1;
        its_own += usize::from(process(item).await);
    }
    Report {
        module,
        seen,
        lost,
        its_own,
        says: String::new(),
    }
}

async fn climate(bus: Fork<Sensors>) -> Report {
    let (mut sum, mut count) = (0.0, 0);
    let report = listen("climate", lossless(bus), async |event| match event {
        Event::Temperature { celsius } => {
            sum += celsius;
            count += 1;
            true
        }
        _ => false,
    });
    let report = report.await;
    Report {
        says: format!("{:.2} °C on average", sum / f64::from(count)),
        ..report
    }
}

async fn alarm(bus: Fork<Sensors>) -> Report {
    let (mut is_open, mut alarms) = (false, 0);
    let report = listen("alarm", lossless(bus), async |event| match event {
        Event::Door { is_open: now } => {
            is_open = now;
            true
        }
        Event::Motion { .. } => {
            alarms += u32::from(!is_open);
            true
        }
        Event::Temperature { .. } => false,
    });
    let report = report.await;
    Report {
        says: format!("{alarms} times somebody moved behind closed doors"),
        ..report
    }
}

/// Shows each event for longer than nine further events take to arrive.
async fn display(bus: Hub<Sensors>) -> Report {
    let report = listen("display", bus.subscribe_with(skip(KEPT)), async |_| {
        sleep(Duration::from_millis(950)).await;
        true
    });
    Report {
        says: "0.95 s for each".into(),
        ..report.await
    }
}

/// Joins in the middle of the stream.
async fn late(bus: Hub<Sensors>) -> Report {
    sleep(Duration::from_millis(30_050)).await;
    let mut rooms = [0; 7];
    let report = listen(
        "late",
        bus.replay_with(skip(KEPT)),
        async |event| match event {
            Event::Motion { room } => {
                rooms[room as usize] += 1;
                true
            }
            _ => false,
        },
    );
    let report = report.await;
    Report {
        says: format!("motion in rooms 0 to 6: {rooms:?}"),
        ..report
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing from the system");
    let (climate, alarm, display, late) = runtime.block_on(async {
        let sensors: Sensors = Box::pin(sensors());
        let first = aiter_forker_with(unbounded().retain(KEPT), sensors);
        let bus = first.hub();
        let alarm = alarm(bus.subscribe());
        tokio::join!(climate(first), alarm, display(bus.clone()), late(bus))
    });
    println!("{EVENTS} events; the latest {KEPT} are kept for modules that join late\n");
    println!("module    seen  lost  its own");
    for Report {
        module,
        seen,
        lost,
        its_own,
        says,
    } in [climate, alarm, display, late]
    {
        println!("{module:<8} {seen:>5} {lost:>5} {its_own:>8}  {says}");
    }
}
