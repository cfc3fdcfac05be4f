//! The one writer: a thread, a connection, a queue; waiting commands are committed as a group.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::sqlx::sqlite::SqliteJournalMode;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use tokio::sync::{mpsc, oneshot};

use super::super::fault::{CommandError, connection_error};
use super::super::postgres::panicked;
use super::super::txn::{Txn, aborted_error};
use super::space::Space;

/// At most this many commands share a commit.
const GROUP: usize = 256;
/// At most this many wait; the next one waits [`PATIENCE`] for a place.
const QUEUE: usize = 1024;
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
}

impl Writer {
    /// Starts the thread, which ends when the last clone of its database is gone.
    pub(super) async fn start(path: &Path, min_free_mib: u64) -> Result<Self, DbErr> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let (ready, is_ready) = oneshot::channel();
        let (path, space) = (path.to_owned(), Space::beside(path, min_free_mib));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| connection_error(error.to_string()))?;
        thread::Builder::new()
            .name("linli-writer".into())
            .spawn(move || runtime.block_on(Thread { path, space, jobs, link: None }.serve(ready)))
            .map_err(|error| connection_error(error.to_string()))?;
        is_ready.await.unwrap_or_else(|_| Err(gone()))?;
        Ok(Self { queue })
    }

    pub(super) async fn write<F, T, E>(&self, command: F) -> Result<T, E>
    where
        F: AsyncFn(&Txn) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: CommandError + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let command = Command { command, outcome: None, reply };
        if self.queue.send_timeout(Box::new(command), PATIENCE).await.is_err() {
            return Err(connection_error("too many writes are waiting").into());
        }
        answer.await.unwrap_or_else(|_| Err(gone().into()))
    }
}

fn gone() -> DbErr {
    connection_error("the writer is gone")
}

/// A command in the queue, whatever its types.
#[async_trait(?Send)]
trait Job: Send {
    /// Whether nobody waits for it any more.
    fn is_abandoned(&self) -> bool;
    /// Runs it and keeps its outcome; whether what it did is to stay.
    async fn run(&mut self, txn: &Txn) -> bool;
    /// Tells its outcome, after the group is safe; or the error that took it away.
    fn answer(self: Box<Self>, group: Result<(), DbErr>);
}

struct Command<F, T, E> {
    command: F,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

#[async_trait(?Send)]
impl<F, T, E> Job for Command<F, T, E>
where
    F: AsyncFn(&Txn) -> Result<T, E> + Send,
    T: Send,
    E: CommandError + Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    async fn run(&mut self, txn: &Txn) -> bool {
        let outcome = AssertUnwindSafe(async { (self.command)(txn).await }).catch_unwind().await;
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
    /// `None` after any doubt about its state: SQLite may have rolled back by itself.
    link: Option<DatabaseConnection>,
}

impl Thread {
    async fn serve(mut self, ready: oneshot::Sender<Result<(), DbErr>>) {
        let opened = self.open().await.map(drop);
        let failed = opened.is_err();
        if ready.send(opened).is_err() || failed {
            return;
        }
        while let Some(first) = self.jobs.recv().await {
            if !self.space.is_enough() {
                first.answer(Err(connection_error("too little free space beside the database")));
                continue;
            }
            let mut done = Vec::new();
            let outcome = self.group(first, &mut done).await;
            if outcome.is_err()
                && let Some(doubtful) = self.link.take()
            {
                drop(doubtful.close().await);
            }
            for job in done {
                job.answer(outcome.clone());
            }
        }
    }

    async fn open(&mut self) -> Result<DatabaseConnection, DbErr> {
        if let Some(link) = &self.link {
            return Ok(link.clone());
        }
        let link = super::connect(&self.path, 1, |options| options.journal_mode(SqliteJournalMode::Wal)).await?;
        Ok(self.link.insert(link).clone())
    }

    /// Runs `first` and whatever waits behind it in one transaction. `done` are those who get the outcome.
    async fn group(&mut self, first: Box<dyn Job>, done: &mut Vec<Box<dyn Job>>) -> Result<(), DbErr> {
        let mut next = Some(first);
        let link = match self.open().await {
            Ok(link) => link,
            Err(error) => {
                done.extend(next);
                return Err(error);
            }
        };
        let immediate = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let txn = match link.begin_with_options(immediate).await {
            Ok(txn) => Txn::new(txn, None),
            Err(error) => {
                done.extend(next);
                return Err(error);
            }
        };
        let mut mark = "SAVEPOINT c";
        while let Some(mut job) = next {
            if job.is_abandoned() {
                next = self.more(done);
                continue;
            }
            let marked = txn.execute_unprepared(mark).await;
            let kept = marked.is_ok() && job.run(&txn).await;
            done.push(job);
            marked?;
            mark = "RELEASE c; SAVEPOINT c";
            if !kept {
                txn.revive();
                txn.execute_unprepared("ROLLBACK TO c").await?;
            }
            next = self.more(done);
        }
        txn.into_inner().commit().await
    }

    fn more(&mut self, done: &[Box<dyn Job>]) -> Option<Box<dyn Job>> {
        if done.len() >= GROUP { None } else { self.jobs.try_recv().ok() }
    }
}
