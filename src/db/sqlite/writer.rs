//! The one writer: a thread, a connection, a queue; waiting commands are committed as a group.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use sea_orm::DbErr;
use sea_orm::prelude::async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use super::super::fault::{CommandError, connection_error};
use super::super::postgres::panicked;
use super::super::txn::{Txn, aborted_error};
use super::Driver;
use super::space::Space;

/// At most this many commands share a commit.
const GROUP: usize = 256;
/// After this long a group takes nobody else, so that its first does not wait for too many.
const GROUP_TIME: Duration = Duration::from_millis(20);
/// At most this many wait in the queue.
const QUEUE: usize = 1024;
/// How long to wait for a place in the queue, and then for one's turn.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    orders: Arc<Orders>,
}

/// What the thread looks at before each group.
#[derive(Default)]
struct Orders {
    /// Another connection has changed the schema.
    schema_changed: AtomicBool,
    /// The file may not grow beyond this many pages; 0: no limit.
    most_pages: AtomicU32,
}

impl Writer {
    /// Starts the thread, which ends when the last clone of its database is gone.
    pub(super) async fn start(path: &Path, min_free_mib: u64) -> Result<Self, DbErr> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let (ready, is_ready) = oneshot::channel();
        let (path, space) = (path.to_owned(), Space::beside(path, min_free_mib));
        let orders = Arc::new(Orders::default());
        let thread = Thread { path, space, jobs, orders: Arc::clone(&orders), held: None, link: None };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| connection_error(error.to_string()))?;
        thread::Builder::new()
            .name("linli-writer".into())
            .spawn(move || runtime.block_on(thread.serve(ready)))
            .map_err(|error| connection_error(error.to_string()))?;
        is_ready.await.unwrap_or_else(|_| Err(gone()))?;
        Ok(Self { queue, orders })
    }

    pub(super) fn forget_schema(&self) {
        self.orders.schema_changed.store(true, Ordering::Relaxed);
    }

    pub(super) fn limit_pages(&self, most: u32) {
        self.orders.most_pages.store(most, Ordering::Relaxed);
    }

    /// `alone`: in a group of its own, so that nobody's answer waits for a long command behind his.
    pub(super) async fn write<F, T, E>(&self, command: F, alone: bool) -> Result<T, E>
    where
        F: AsyncFn(&Txn) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: CommandError + Send + 'static,
    {
        let (reply, mut answer) = oneshot::channel();
        let turn = Arc::new(Turn::default());
        let command = Command { work: command, alone, outcome: None, reply, turn: Arc::clone(&turn) };
        let queued = self.queue.send_timeout(Box::new(command), PATIENCE).await.is_ok();
        let answered = if queued { tokio::time::timeout(PATIENCE, &mut answer).await.ok() } else { None };
        let answered = match answered {
            Some(answered) => answered,
            // It has begun: its time is its own.
            None if queued && !turn.claim() => answer.await,
            None => return Err(connection_error("too many writes are waiting").into()),
        };
        answered.unwrap_or_else(|_| Err(gone().into()))
    }
}

fn gone() -> DbErr {
    connection_error("the writer is gone")
}

/// Taken once: by the thread that begins the command, or by the caller who gives up waiting for that.
#[derive(Default)]
struct Turn(AtomicBool);

impl Turn {
    fn claim(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// A command in the queue, whatever its types.
#[async_trait(?Send)]
trait Job: Send {
    /// Whether it wants a group of its own.
    fn is_alone(&self) -> bool;
    /// Whether somebody still waits for it; from then on it will be run.
    fn begin(&self) -> bool;
    /// Runs it and keeps its outcome; whether what it did is to stay.
    async fn run(&mut self, txn: &Txn) -> bool;
    /// Tells its outcome, after the group is safe; or the error that took it away.
    fn answer(self: Box<Self>, group: Result<(), DbErr>);
}

struct Command<F, T, E> {
    work: F,
    alone: bool,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
    turn: Arc<Turn>,
}

#[async_trait(?Send)]
impl<F, T, E> Job for Command<F, T, E>
where
    F: AsyncFn(&Txn) -> Result<T, E> + Send,
    T: Send,
    E: CommandError + Send,
{
    fn is_alone(&self) -> bool {
        self.alone
    }

    fn begin(&self) -> bool {
        !self.reply.is_closed() && self.turn.claim()
    }

    async fn run(&mut self, txn: &Txn) -> bool {
        let outcome = AssertUnwindSafe(async { (self.work)(txn).await }).catch_unwind().await;
        let outcome = match outcome {
            Ok(Ok(_)) if txn.aborted() => Err(aborted_error().into()),
            Ok(outcome) => outcome,
            Err(_) => Err(panicked().into()),
        };
        self.outcome.insert(outcome).is_ok()
    }

    fn answer(self: Box<Self>, group: Result<(), DbErr>) {
        let Self { outcome, reply, .. } = *self;
        let outcome = group.map_err(E::from).and_then(|()| outcome.unwrap_or_else(|| Err(gone().into())));
        // Whoever left meanwhile finds the outcome by its key.
        drop(reply.send(outcome));
    }
}

struct Thread {
    path: PathBuf,
    space: Space,
    jobs: mpsc::Receiver<Box<dyn Job>>,
    orders: Arc<Orders>,
    /// Taken from the queue while another group was being made.
    held: Option<Box<dyn Job>>,
    /// `None` after any doubt about its state: SQLite rolls back by itself when the file is full, among others, and what is
    /// told to such a connection afterwards is not in any transaction.
    link: Option<Link>,
}

/// The connection, with the limit it was given.
struct Link {
    driver: Arc<Driver>,
    most_pages: u32,
}

impl Thread {
    async fn serve(mut self, ready: oneshot::Sender<Result<(), DbErr>>) {
        let opened = self.open().map(drop);
        let failed = opened.is_err();
        if ready.send(opened).is_err() || failed {
            return;
        }
        while let Some(first) = self.next_group().await {
            if !self.space.is_enough() {
                first.answer(Err(connection_error("too little free space beside the database")));
                continue;
            }
            let mut done = Vec::new();
            let outcome = self.group(first, &mut done).await.map_err(|error| {
                self.link = None;
                connection_error(format!("the common commit failed: {error}"))
            });
            for job in done {
                job.answer(outcome.clone());
            }
        }
    }

    async fn next_group(&mut self) -> Option<Box<dyn Job>> {
        match self.held.take() {
            Some(job) => Some(job),
            None => self.jobs.recv().await,
        }
    }

    /// Who else belongs to a group of `size` that began then, of those who wait.
    fn next_in_group(&mut self, size: usize, began: Instant) -> Option<Box<dyn Job>> {
        if size >= GROUP || began.elapsed() >= GROUP_TIME {
            return None;
        }
        let job = self.jobs.try_recv().ok()?;
        if !job.is_alone() {
            return Some(job);
        }
        self.held = Some(job);
        None
    }

    /// The connection, as the orders want it.
    fn open(&mut self) -> Result<Arc<Driver>, DbErr> {
        let most_pages = self.orders.most_pages.load(Ordering::Relaxed);
        let mut link = match self.link.take() {
            Some(link) => link,
            None => Link { driver: Arc::new(Driver::open(&self.path)?), most_pages: 0 },
        };
        if link.most_pages != most_pages {
            link.driver.limit_pages(most_pages)?;
            link.most_pages = most_pages;
        }
        if self.orders.schema_changed.swap(false, Ordering::Relaxed) {
            link.driver.forget_schema();
        }
        Ok(Arc::clone(&self.link.insert(link).driver))
    }

    /// Runs `first` and whatever waits behind it in one transaction. `done` are those who get the outcome.
    async fn group(&mut self, first: Box<dyn Job>, done: &mut Vec<Box<dyn Job>>) -> Result<(), DbErr> {
        let driver = match self.open().and_then(|driver| driver.step("BEGIN IMMEDIATE").map(|()| driver)) {
            Ok(driver) => driver,
            Err(error) => {
                done.push(first);
                return Err(error);
            }
        };
        let (alone, began) = (first.is_alone(), Instant::now());
        let mut next = Some(first);
        while let Some(mut job) = next {
            if job.begin() {
                let kept = self.run(&mut job, &driver, done.is_empty()).await;
                done.push(job);
                kept?;
            }
            next = if alone { None } else { self.next_in_group(done.len(), began) };
        }
        driver.step("COMMIT")
    }

    /// Runs one command inside its savepoint; the savepoint of the one before is given up first.
    async fn run(&self, job: &mut Box<dyn Job>, driver: &Arc<Driver>, is_first: bool) -> Result<(), DbErr> {
        if !is_first {
            driver.step("RELEASE c")?;
        }
        driver.step("SAVEPOINT c")?;
        if job.run(&Txn::sqlite(Arc::clone(driver))).await { Ok(()) } else { driver.step("ROLLBACK TO c") }
    }
}
