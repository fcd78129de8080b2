//! Code that must not compile, each case with the bug in another crate that it would be here. The
//! first block of each case compiles: it differs from the others in one thing, which shows that
//! nothing else keeps those from compiling.

/// Items that may not leave their thread make ends that may not either (RUSTSEC-2020-0126).
/// ```
/// let (pusher, aiter) = aiter_core::push_aiter::<std::sync::Arc<u8>>();
/// std::thread::spawn(move || (pusher, aiter));
/// ```
/// ```compile_fail
/// let (pusher, aiter) = aiter_core::push_aiter::<std::rc::Rc<u8>>();
/// std::thread::spawn(move || pusher);
/// ```
/// ```compile_fail
/// let (pusher, aiter) = aiter_core::push_aiter::<std::rc::Rc<u8>>();
/// std::thread::spawn(move || aiter);
/// ```
struct ItemsThatStay;

/// Pushing needs no `Sync` item, because a pusher never looks at one. Sharing a consumer does,
/// because it lends items (RUSTSEC-2020-0072).
/// ```
/// let (pusher, aiter) = aiter_core::push_aiter::<std::cell::Cell<u8>>();
/// std::thread::scope(|scope| {
///     scope.spawn(|| pusher.is_stopped());
/// });
/// let (pusher, aiter) = aiter_core::push_aiter::<u8>();
/// std::thread::scope(|scope| {
///     scope.spawn(|| aiter.is_stopped());
/// });
/// ```
/// ```compile_fail
/// let (pusher, aiter) = aiter_core::push_aiter::<std::cell::Cell<u8>>();
/// std::thread::scope(|scope| {
///     scope.spawn(|| aiter.is_stopped());
/// });
/// ```
struct SharedConsumers;

/// Forks clone one item on several threads at once, so `Send` is not enough: they need `Sync`
/// (RUSTSEC-2025-0023).
/// ```
/// let (_pusher, mut aiter) = aiter_core::push_aiter::<u8>();
/// let fork = aiter.fork();
/// ```
/// ```compile_fail
/// let (_pusher, mut aiter) = aiter_core::push_aiter::<std::cell::Cell<u8>>();
/// let fork = aiter.fork();
/// ```
struct ForkedItems;

/// The same holds for forks of any stream, active and passive (RUSTSEC-2025-0023).
/// ```
/// let mut stream = aiter_core::aiter_forker(aiter_core::iter_to_aiter([1_u8]));
/// let forks = (stream.fork(), stream.fork_passive());
/// ```
/// ```compile_fail
/// let mut stream = aiter_core::aiter_forker(aiter_core::iter_to_aiter([std::cell::Cell::new(1_u8)]));
/// let fork = stream.fork();
/// ```
/// ```compile_fail
/// let mut stream = aiter_core::aiter_forker(aiter_core::iter_to_aiter([std::cell::Cell::new(1_u8)]));
/// let fork = stream.fork_passive();
/// ```
struct ForkedStreams;

/// A fork carries its stream along, and any thread may poll it. A stream that may not leave its
/// thread keeps its forks there, even if its items may leave (RUSTSEC-2020-0126).
/// ```
/// let one = std::sync::Arc::new(1_u8);
/// let stream = aiter_core::iter_to_aiter(std::iter::repeat_with(move || *one));
/// let fork = aiter_core::aiter_forker(stream);
/// std::thread::spawn(move || fork);
/// ```
/// ```compile_fail
/// let one = std::rc::Rc::new(1_u8);
/// let stream = aiter_core::iter_to_aiter(std::iter::repeat_with(move || *one));
/// let fork = aiter_core::aiter_forker(stream);
/// std::thread::spawn(move || fork);
/// ```
struct StreamsThatStay;

/// A further consumer shares the items with the others, as a fork does (RUSTSEC-2025-0023).
/// ```
/// let (pusher, _aiter) = aiter_core::push_aiter::<u8>();
/// let other = pusher.subscribe();
/// ```
/// ```compile_fail
/// let (pusher, _aiter) = aiter_core::push_aiter::<std::cell::Cell<u8>>();
/// let other = pusher.subscribe();
/// ```
struct SubscribedItems;

/// An item cannot be taken while it is borrowed (RUSTSEC-2021-0130).
/// ```
/// let (_pusher, mut aiter) = aiter_core::push_aiter::<String>();
/// let first = aiter.available_iter().next().cloned();
/// let taken = aiter.try_next();
/// drop(first);
/// ```
/// ```compile_fail
/// let (_pusher, mut aiter) = aiter_core::push_aiter::<String>();
/// let first = aiter.available_iter().next();
/// let taken = aiter.try_next();
/// drop(first);
/// ```
struct LookAndTake;

/// A pusher of long-lived references is not one of short-lived ones: it would push references that
/// its consumer outlives (RUSTSEC-2020-0164).
/// ```
/// use aiter_core::Pusher;
/// fn as_it_is<'a>(pusher: Pusher<&'a str>) -> Pusher<&'a str> {
///     pusher
/// }
/// ```
/// ```compile_fail
/// use aiter_core::Pusher;
/// fn shortened<'a>(pusher: Pusher<&'static str>) -> Pusher<&'a str> {
///     pusher
/// }
/// ```
struct Variance;

/// The closure of `pump` does not lend what it owns to its futures, so that the pump can be
/// spawned. `pump_lending` is for closures that do.
/// ```
/// let mut text = String::new();
/// let words = aiter_core::iter_to_aiter(["a", "b"]);
/// let pumped = aiter_core::pump_lending(async |word| Ok::<_, ()>(text.push_str(word)), words);
/// ```
/// ```compile_fail
/// let mut text = String::new();
/// let words = aiter_core::iter_to_aiter(["a", "b"]);
/// let pumped = aiter_core::pump(async |word| Ok::<_, ()>(text.push_str(word)), words);
/// ```
struct LendingPumps;

/// A lending pump cannot be spawned if its closure borrows from the task or its items borrow. This
/// is a limit of the compiler that nobody wants: if these cases compile one day, correct the docs
/// of `pump_lending`.
/// ```
/// fn spawn(_: impl Future + Send + 'static) {}
/// spawn(async {
///     let mut text = String::new();
///     let words = aiter_core::iter_to_aiter(["a".to_owned()]);
///     aiter_core::pump_lending(async move |word: String| Ok::<_, ()>(text.push_str(&word)), words).await
/// });
/// ```
/// ```compile_fail
/// fn spawn(_: impl Future + Send + 'static) {}
/// spawn(async {
///     let mut text = String::new();
///     let words = aiter_core::iter_to_aiter(["a".to_owned()]);
///     aiter_core::pump_lending(async |word: String| Ok::<_, ()>(text.push_str(&word)), words).await
/// });
/// ```
/// ```compile_fail
/// fn spawn(_: impl Future + Send + 'static) {}
/// spawn(async {
///     let mut text = String::new();
///     let words = aiter_core::iter_to_aiter(["a"]);
///     aiter_core::pump_lending(async move |word: &'static str| Ok::<_, ()>(text.push_str(word)), words).await
/// });
/// ```
struct SpawnedLendingPumps;

/// A list in a `static` cannot hold items that stay on their thread (RUSTSEC-2020-0126).
/// ```
/// use aiter_core::fixed::PushList;
/// static LIST: PushList<Box<u8>, 4> = PushList::new();
/// ```
/// ```compile_fail,E0277
/// use aiter_core::fixed::PushList;
/// static LIST: PushList<std::rc::Rc<u8>, 4> = PushList::new();
/// ```
struct StaticItemsThatStay;

/// A second reader of a fixed list clones beside the first, so `Send` is not enough
/// (RUSTSEC-2025-0023).
/// ```
/// let list = aiter_core::fixed::PushList::<u8, 4, 2>::new();
/// let mut aiter = list.aiter().unwrap();
/// let others = (aiter.fork(), list.subscribe());
/// ```
/// ```compile_fail,E0277
/// let list = aiter_core::fixed::PushList::<std::cell::Cell<u8>, 4, 2>::new();
/// let mut aiter = list.aiter().unwrap();
/// let fork = aiter.fork();
/// ```
/// ```compile_fail,E0277
/// let list = aiter_core::fixed::PushList::<std::cell::Cell<u8>, 4, 2>::new();
/// let other = list.subscribe();
/// ```
struct ForkedStaticItems;

/// A reader does not outlive a list that is no `static`.
/// ```
/// let list = aiter_core::fixed::PushList::<u8, 4>::new();
/// let aiter = list.aiter();
/// drop(aiter);
/// drop(list);
/// ```
/// ```compile_fail,E0505
/// let list = aiter_core::fixed::PushList::<u8, 4>::new();
/// let aiter = list.aiter();
/// drop(list);
/// drop(aiter);
/// ```
struct ReadersThatStay;

/// A list without a slot, or without a reader, does not compile.
/// ```
/// let list = aiter_core::fixed::PushList::<u8, 1, 1>::new();
/// ```
/// ```compile_fail,E0080
/// let list = aiter_core::fixed::PushList::<u8, 0, 1>::new();
/// ```
/// ```compile_fail,E0080
/// let list = aiter_core::fixed::PushList::<u8, 1, 0>::new();
/// ```
struct EmptyLists;

/// A push into a hub never waits, so a hub cannot have the bound `wait`. The error says
/// so (`HubBound`).
/// ```
/// let hub = aiter_core::push_hub::<u8, _>(aiter_core::bound::skip(8).retain(2));
/// let reader = hub.subscribe_with(aiter_core::bound::unbounded());
/// ```
/// ```compile_fail,E0277
/// let hub = aiter_core::push_hub::<u8, _>(aiter_core::bound::wait(8));
/// ```
/// ```compile_fail,E0277
/// let hub = aiter_core::push_hub::<u8, _>(aiter_core::bound::skip(8).retain(2));
/// let reader = hub.subscribe_with(aiter_core::bound::wait(8));
/// ```
struct HubsThatWait;

/// Items are retained for all forks of a stream, so a fork that is made later cannot ask for that.
/// The error says so (`Bound`).
/// ```
/// # use aiter_core::{aiter_forker_with, bound, iter_to_aiter};
/// let mut fork = aiter_forker_with(bound::latest(), iter_to_aiter([1, 2]));
/// let other = fork.fork_with(bound::skip(1));
/// ```
/// ```compile_fail,E0277
/// # use aiter_core::{aiter_forker_with, bound, iter_to_aiter};
/// let mut fork = aiter_forker_with(bound::latest(), iter_to_aiter([1, 2]));
/// let other = fork.fork_with(bound::latest());
/// ```
struct ForksThatRetain;

/// Readers of a hub clone one item on several threads at once, so `Send` is not enough
/// (RUSTSEC-2025-0023).
/// ```
/// let hub = aiter_core::push_hub::<u8, _>(aiter_core::bound::unbounded());
/// let reader = hub.subscribe();
/// ```
/// ```compile_fail,E0277
/// let hub = aiter_core::push_hub::<std::cell::Cell<u8>, _>(aiter_core::bound::unbounded());
/// let reader = hub.subscribe();
/// ```
struct HubItems;

/// A list says in its type whether tasks may wait for a slot.
/// ```
/// let list = aiter_core::fixed::PushList::<u8, 4, 1, 1>::new();
/// let push = list.push_when_free(1);
/// ```
/// ```compile_fail,E0080
/// let list = aiter_core::fixed::PushList::<u8, 4>::new();
/// let push = list.push_when_free(1);
/// ```
struct ListsWithoutWaits;

/// A list says in its type whether it may be overwritten, and then its items cannot be lent.
/// ```
/// let list = aiter_core::fixed::PushList::<u8, 4, 1, 0, true>::new();
/// list.push_overwriting(1).unwrap();
/// ```
/// ```compile_fail,E0080
/// let list = aiter_core::fixed::PushList::<u8, 4>::new();
/// list.push_overwriting(1).unwrap();
/// ```
/// ```compile_fail,E0080
/// let list = aiter_core::fixed::PushList::<u8, 4, 1, 0, true>::new();
/// let count = list.aiter().unwrap().available_iter().count();
/// ```
struct ListsThatAreNotOverwritten;
