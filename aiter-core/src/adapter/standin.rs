//! TEMPORARY: naive forms of what lands in core.
#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all
)]
use crate::{PushAiter, Pusher, push_aiter};
use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_core::{FusedStream, Stream};
use std::sync::Mutex;

pub struct ActiveDriver<S: Stream> {
    s: Pin<Box<S>>,
    p: Pusher<S::Item>,
}
pub fn active<S: Stream>(s: S) -> (PushAiter<S::Item>, ActiveDriver<S>) {
    let (p, a) = push_aiter();
    (a, ActiveDriver { s: Box::pin(s), p })
}
impl<S: Stream> Unpin for ActiveDriver<S> {}
impl<S: Stream> Future for ActiveDriver<S> {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.p.is_stopped() {
                return Poll::Ready(());
            }
            match self.s.as_mut().poll_next(cx) {
                Poll::Ready(Some(i)) => {
                    if self.p.push(i).is_err() {
                        return Poll::Ready(());
                    }
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
struct Pre<T> {
    n: usize,
    buf: VecDeque<T>,
    consumer: Option<Waker>,
    driver: Option<Waker>,
    ended: bool,
    gone: bool,
}
pub struct Preloaded<T>(Arc<Mutex<Pre<T>>>);
pub struct PreloadDriver<S: Stream> {
    s: Pin<Box<S>>,
    p: Arc<Mutex<Pre<S::Item>>>,
}
pub fn preload<S: Stream>(n: usize, s: S) -> (Preloaded<S::Item>, PreloadDriver<S>) {
    let p = Arc::new(Mutex::new(Pre {
        n,
        buf: VecDeque::new(),
        consumer: None,
        driver: None,
        ended: false,
        gone: false,
    }));
    (Preloaded(p.clone()), PreloadDriver { s: Box::pin(s), p })
}
fn wake(w: Option<Waker>) {
    if let Some(w) = w {
        w.wake()
    }
}
impl<T> Stream for Preloaded<T> {
    type Item = T;
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut p = self.0.lock().unwrap();
        if let Some(i) = p.buf.pop_front() {
            let w = p.driver.take();
            drop(p);
            wake(w);
            return Poll::Ready(Some(i));
        }
        if p.ended {
            return Poll::Ready(None);
        }
        p.consumer = Some(cx.waker().clone());
        Poll::Pending
    }
}
impl<T> FusedStream for Preloaded<T> {
    fn is_terminated(&self) -> bool {
        let p = self.0.lock().unwrap();
        p.ended && p.buf.is_empty()
    }
}
impl<T> core::fmt::Debug for Preloaded<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Preloaded")
    }
}
impl<T> Drop for Preloaded<T> {
    fn drop(&mut self) {
        let mut p = self.0.lock().unwrap();
        p.gone = true;
        let w = p.driver.take();
        drop(p);
        wake(w)
    }
}
impl<S: Stream> Unpin for PreloadDriver<S> {}
impl<S: Stream> Drop for PreloadDriver<S> {
    fn drop(&mut self) {
        let mut p = self.p.lock().unwrap();
        p.ended = true;
        let w = p.consumer.take();
        drop(p);
        wake(w)
    }
}
impl<S: Stream> Future for PreloadDriver<S> {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            {
                let mut p = self.p.lock().unwrap();
                if p.gone {
                    return Poll::Ready(());
                }
                p.driver = Some(cx.waker().clone());
                if p.buf.len() >= p.n {
                    return Poll::Pending;
                }
            }
            match self.s.as_mut().poll_next(cx) {
                Poll::Ready(Some(i)) => {
                    let mut p = self.p.lock().unwrap();
                    p.buf.push_back(i);
                    let w = p.consumer.take();
                    drop(p);
                    wake(w)
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
pub struct JoinAiters<SS: Stream> {
    ss: Option<Pin<Box<SS>>>,
    all: VecDeque<Pin<Box<SS::Item>>>,
}
impl<SS: Stream> core::fmt::Debug for JoinAiters<SS> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("JoinAiters")
    }
}
pub fn join_aiters<SS: Stream>(ss: SS) -> JoinAiters<SS>
where
    SS::Item: Stream,
{
    JoinAiters {
        ss: Some(Box::pin(ss)),
        all: VecDeque::new(),
    }
}
impl<SS: Stream> Unpin for JoinAiters<SS> {}
impl<SS: Stream> Stream for JoinAiters<SS>
where
    SS::Item: Stream,
{
    type Item = <SS::Item as Stream>::Item;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while let Some(ss) = &mut this.ss {
            match ss.as_mut().poll_next(cx) {
                Poll::Ready(Some(s)) => this.all.push_back(Box::pin(s)),
                Poll::Ready(None) => this.ss = None,
                Poll::Pending => break,
            }
        }
        for _ in 0..this.all.len() {
            let mut s = this.all.pop_front().unwrap();
            match s.as_mut().poll_next(cx) {
                Poll::Ready(Some(i)) => {
                    this.all.push_back(s);
                    return Poll::Ready(Some(i));
                }
                Poll::Ready(None) => {}
                Poll::Pending => this.all.push_back(s),
            }
        }
        if this.all.is_empty() && this.ss.is_none() {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    }
}
impl<SS: Stream> FusedStream for JoinAiters<SS>
where
    SS::Item: Stream,
{
    fn is_terminated(&self) -> bool {
        self.ss.is_none() && self.all.is_empty()
    }
}
pub struct MapAsync<S, F, Fut> {
    s: Pin<Box<S>>,
    f: F,
    cur: Option<Pin<Box<Fut>>>,
}
impl<S, F, Fut> Unpin for MapAsync<S, F, Fut> {}
pub fn map_async<S: Stream, F: FnMut(S::Item) -> Fut, Fut: Future>(
    f: F,
    s: S,
) -> MapAsync<S, F, Fut> {
    MapAsync {
        s: Box::pin(s),
        f,
        cur: None,
    }
}
impl<S: Stream, F: FnMut(S::Item) -> Fut, Fut: Future> Stream for MapAsync<S, F, Fut> {
    type Item = Fut::Output;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Fut::Output>> {
        let this = &mut *self;
        loop {
            if let Some(c) = &mut this.cur {
                return match c.as_mut().poll(cx) {
                    Poll::Ready(o) => {
                        this.cur = None;
                        Poll::Ready(Some(o))
                    }
                    Poll::Pending => Poll::Pending,
                };
            }
            match this.s.as_mut().poll_next(cx) {
                Poll::Ready(Some(i)) => this.cur = Some(Box::pin((this.f)(i))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
struct Shared<S> { s: Mutex<(Pin<Box<S>>, bool)>, wakers: Arc<Wakers> }
struct Wakers(Mutex<Vec<Waker>>);
pub struct Sharable<S>(Arc<Shared<S>>);
impl<S> Clone for Sharable<S> { fn clone(&self) -> Self { Self(self.0.clone()) } }
pub fn sharable_aiter<S: Stream>(s: S) -> Sharable<S> { Sharable(Arc::new(Shared { s: Mutex::new((Box::pin(s), false)), wakers: Arc::new(Wakers(Mutex::new(Vec::new()))) })) }
impl alloc::task::Wake for Wakers { fn wake(self: Arc<Self>) { let w = core::mem::take(&mut *self.0.lock().unwrap()); for w in w { w.wake() } } }
impl<S: Stream + Send + 'static> Stream for Sharable<S> {
    type Item = S::Item;
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let w: Waker = self.0.wakers.clone().into();
        let mut g = self.0.s.lock().unwrap();
        if g.1 { return Poll::Ready(None) }
        self.0.wakers.0.lock().unwrap().push(cx.waker().clone());
        match g.0.as_mut().poll_next(&mut Context::from_waker(&w)) {
            Poll::Ready(i) => { if i.is_none() { g.1 = true } drop(g); w.wake(); Poll::Ready(i) }
            Poll::Pending => Poll::Pending,
        }
    }
}
#[derive(Debug)]
pub struct IterToAiter<I>(I);
impl<I> Unpin for IterToAiter<I> {}
pub fn iter_to_aiter<I: IntoIterator>(i: I) -> IterToAiter<I::IntoIter> {
    IterToAiter(i.into_iter())
}
impl<I: Iterator> Stream for IterToAiter<I> {
    type Item = I::Item;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}
