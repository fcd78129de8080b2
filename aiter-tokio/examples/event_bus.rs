//! An event bus: one stream of sensor events, and several modules that each process some of them.
//!
//! ```sh
//! cargo run -p aiter-tokio --example event_bus
//! ```
//!
//! The sensors do not know which modules listen. Each module reads a fork of the stream, sees every
//! event and picks those that concern it. A module that keeps up loses nothing. A module that is
//! slow or joins late receives the latest events, and learns how many it has missed. No module
//! waits for another. The clock is simulated, so that a minute passes at once and the figures are
//! the same each time.
use aiter_tokio::{
    Fork, aiter_forker_with,
    bound::{Seen, Skip, skip},
};
use futures_lite::{Stream, StreamExt, stream};
use std::{pin::Pin, time::Duration};
use tokio::time::sleep;

/// The number of events that are kept for modules that fall behind.
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

type Bus = Fork<Pin<Box<dyn Stream<Item = Event>>>, Skip>;

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
    mut bus: Bus,
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

async fn climate(bus: Bus) -> Report {
    let (mut sum, mut count) = (0.0, 0);
    let report = listen("climate", bus, async |event| match event {
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

async fn alarm(bus: Bus) -> Report {
    let (mut is_open, mut alarms) = (false, 0);
    let report = listen("alarm", bus, async |event| match event {
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
async fn display(bus: Bus) -> Report {
    let report = listen("display", bus, async |_| {
        sleep(Duration::from_millis(950)).await;
        true
    });
    Report {
        says: "0.95 s for each".into(),
        ..report.await
    }
}

/// Joins in the middle of the stream.
async fn late(mut bus: Bus) -> Report {
    sleep(Duration::from_millis(30_050)).await;
    let mut rooms = [0; 7];
    let report = listen("late", bus.fork(), async |event| match event {
        Event::Motion { room } => {
            rooms[room as usize] += 1;
            true
        }
        _ => false,
    });
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
        let sensors: Pin<Box<dyn Stream<Item = Event>>> = Box::pin(sensors());
        // The other forks are made from this one. It is never read itself, which with the bound
        // `skip` does not hold up the others.
        let mut bus = aiter_forker_with(skip(KEPT), sensors);
        let (climate, alarm, display) =
            (climate(bus.fork()), alarm(bus.fork()), display(bus.fork()));
        tokio::join!(climate, alarm, display, late(bus))
    });
    println!("{EVENTS} events; the latest {KEPT} are kept for modules that fall behind\n");
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
