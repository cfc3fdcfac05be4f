//! The statements that the service makes for each step of a claim, in its order, one text for both databases: parameters are
//! numbered as they first appear, so that SQLite counts them as PostgreSQL does.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::runner::{Runner, Step, Value, id, may, must, text, time};
use super::{ANSWER, People};

/// The claim that one item is about: one member's on one task.
pub(crate) struct Item {
    pub(crate) task: Uuid,
    pub(crate) wish: Uuid,
    pub(crate) requester: Uuid,
    pub(crate) member: Uuid,
    pub(crate) account: Uuid,
    pub(crate) window: (DateTime<Utc>, DateTime<Utc>),
    /// It is the first or the last on its task to make a step.
    pub(crate) first: bool,
    pub(crate) last: bool,
    claim: Uuid,
    record: Uuid,
}

impl Item {
    pub(crate) fn new(
        (task, wish): (Uuid, Uuid),
        requester: Uuid,
        (member, account): (Uuid, Uuid),
        window: (DateTime<Utc>, DateTime<Utc>),
        (first, last): (bool, bool),
    ) -> Self {
        let (claim, record) = (Uuid::now_v7(), Uuid::now_v7());
        Self { task, wish, requester, member, account, window, first, last, claim, record }
    }

    /// The statements of one step of `what`.
    pub(crate) fn steps(&self, what: &str, people: &People, runner: &Runner) -> Vec<Step> {
        let now = Utc::now();
        match what {
            "claim" => self.claim(now),
            "check_in" => self.check_in(people, now),
            "check_out" => self.check_out(people, now),
            _ => self.verify(people, runner.in_one(), now),
        }
    }

    fn claim(&self, now: DateTime<Utc>) -> Vec<Step> {
        let (from, until) = self.window;
        let mut steps = vec![
            must(
                "UPDATE task SET taken = taken + 1, status = CASE WHEN status = 'open' AND taken + 1 = slots THEN 'full' ELSE status END, updated_at = $1 WHERE id = $2 AND status IN ('open', 'in_progress') AND taken < slots AND window_until > $3 AND region_code >= '130202' AND region_code < '130203'",
                [time(now), id(self.task), time(now)],
            ),
            may(
                "SELECT * FROM claim WHERE task_id = $1 AND member_id = $2 AND status IN ('accepted', 'checked_in', 'checked_out', 'verified', 'rejected', 'offered')",
                [id(self.task), id(self.member)],
            ),
            must(
                "INSERT INTO claim (id, task_id, member_id, region_code, status, window_from, window_until, accepted_at, created_at, updated_at) VALUES ($1, $2, $3, '130202009001', 'accepted', $4, $5, $6, $7, $8)",
                [
                    id(self.claim),
                    id(self.task),
                    id(self.member),
                    time(from),
                    time(until),
                    time(now),
                    time(now),
                    time(now),
                ],
            ),
        ];
        steps.extend(self.wish_follows(
            "UPDATE wish SET status = 'claimed', due_at = $1, claimed_at = $2, updated_at = $3 WHERE id = $4 AND task_id = $5 AND status = 'published'",
            vec![time(until), time(now), time(now), id(self.wish), id(self.task)],
        ));
        steps.push(must(
            "INSERT INTO inbox_message (id, member_id, kind, title, body, source_kind, source_id, created_at) VALUES ($1, $2, 'wish.claimed', '心愿已被认领', '志愿者已认领“陪同就医”，请保持电话畅通。', 'wish', $3, $4), ($5, $6, 'claim.accepted', '认领成功', '您已认领“陪同就医”，请先联系求助人，并按时到场签到；不能前往时请及时退出。', 'claim', $7, $8)",
            [
                id(Uuid::now_v7()),
                id(self.requester),
                id(self.wish),
                time(now),
                id(Uuid::now_v7()),
                id(self.member),
                id(self.claim),
                time(now),
            ],
        ));
        steps.push(key(format!("member:{}", self.member), now));
        steps
    }

    fn check_in(&self, people: &People, now: DateTime<Utc>) -> Vec<Step> {
        let mut steps = self.found();
        steps.push(must(
            "UPDATE claim SET status = 'checked_in', checked_in_at = $1, check_in_means = 'staff_time', check_in_step = NULL, entered_by = $2, updated_at = $3 WHERE id = $4 AND status = 'accepted'",
            [time(self.window.0), id(people.clerk), time(now), id(self.claim)],
        ));
        steps.extend(self.recounted(self.first, "in_progress", now));
        steps.push(audited("claim.check_in", "claim", self.claim, people.clerk, now));
        steps.extend(self.wish_follows(
            "UPDATE wish SET status = 'in_service', due_at = $1, updated_at = $2 WHERE id = $3 AND task_id = $4 AND status = 'claimed'",
            vec![time(self.window.1), time(now), id(self.wish), id(self.task)],
        ));
        steps.push(must(
            "INSERT INTO inbox_message (id, member_id, kind, title, body, source_kind, source_id, created_at) VALUES ($1, $2, 'wish.in_service', '志愿者已签到', '志愿者已为“陪同就医”签到。', 'wish', $3, $4)",
            [id(Uuid::now_v7()), id(self.requester), id(self.wish), time(now)],
        ));
        steps.push(key(format!("staff:{}", people.clerk), now));
        steps
    }

    fn check_out(&self, people: &People, now: DateTime<Utc>) -> Vec<Step> {
        let mut steps = self.found();
        steps.extend([
            must(
                "UPDATE claim SET status = 'checked_out', checked_out_at = $1, check_out_means = 'staff', entered_by = $2, updated_at = $3 WHERE id = $4 AND status = 'checked_in'",
                [time(now), id(people.clerk), time(now), id(self.claim)],
            ),
            must("SELECT region_code, unit_id FROM member WHERE id = $1", [id(self.member)]),
            must(
                "INSERT INTO service_record (id, claim_id, task_id, member_id, region_code, task_region_code, category, started_at, ended_at, window_minutes, minutes, evidence, status, entered_by, programme, created_at, updated_at) VALUES ($1, $2, $3, $4, '130202009001', '130202009001', 'neighbourly', $5, $6, 660, 65, 'D', 'pending', $7, 'default', $8, $9)",
                [
                    id(self.record),
                    id(self.claim),
                    id(self.task),
                    id(self.member),
                    time(self.window.0),
                    time(now),
                    id(people.clerk),
                    time(now),
                    time(now),
                ],
            ),
        ]);
        steps.extend(self.recounted(self.last, "done", now));
        steps.push(audited("claim.check_out", "claim", self.claim, people.clerk, now));
        steps.extend(self.wish_follows(
            "UPDATE wish SET status = 'fulfilled', due_at = NULL, fulfilled_at = $1, updated_at = $2 WHERE id = $3 AND task_id = (SELECT id FROM task WHERE id = $4 AND status = 'done') AND status = 'in_service'",
            vec![time(now), time(now), id(self.wish), id(self.task)],
        ));
        steps.push(must(
            "INSERT INTO inbox_message (id, member_id, kind, title, body, source_kind, source_id, created_at) VALUES ($1, $2, 'claim.checked_out', '服务已签退', '“陪同就医”已签退，服务记录待核实，核实后时长与积分到账。', 'claim', $3, $4)",
            [id(Uuid::now_v7()), id(self.member), id(self.claim), time(now)],
        ));
        steps.push(key(format!("staff:{}", people.clerk), now));
        steps
    }

    fn verify(&self, people: &People, in_one: bool, now: DateTime<Utc>) -> Vec<Step> {
        let mut steps = vec![
            must("SELECT * FROM service_record WHERE id = $1", [id(self.record)]),
            must(
                "SELECT rule.id, rule.region_code, rule.category, rule.basis, rule.amount, rule.per_minutes, rule.cap_day, rule.cap_month, programme.expiry, programme.expiry_months FROM rule JOIN programme ON programme.code = rule.programme WHERE rule.programme = 'default' AND (rule.category IS NULL OR rule.category = 'neighbourly') AND rule.valid_from <= $1 AND (rule.valid_until IS NULL OR rule.valid_until > $2)",
                [time(now), time(now)],
            ),
        ];
        steps.extend(self.posting(people, in_one, now));
        steps.extend([
            must(
                "INSERT INTO balance (account_id, balance, held, earned, dated) VALUES ($1, 216, 0, 216, 0) ON CONFLICT (account_id) DO UPDATE SET balance = balance.balance + 216, earned = balance.earned + 216, dated = balance.dated + 0",
                [id(self.account)],
            ),
            must(
                "UPDATE service_record SET status = 'verified', minutes = 65, verified_by = $1, verified_at = $2, points = 216, counted_at = $3, updated_at = $4 WHERE id = $5 AND status = 'pending'",
                [id(people.manager), time(now), time(now), time(now), id(self.record)],
            ),
            must(
                "INSERT INTO score_mark (record_id, change, marked_at) VALUES ($1, 1, $2)",
                [id(self.record), time(now)],
            ),
            audited("service_record.verify", "service_record", self.record, people.manager, now),
            must("SELECT * FROM claim WHERE id = $1", [id(self.claim)]),
            must(
                "UPDATE claim SET status = 'verified', ended_at = $1, updated_at = $2 WHERE id = $3 AND status = 'checked_out'",
                [time(now), time(now), id(self.claim)],
            ),
            key(format!("staff:{}", people.manager), now),
        ]);
        steps
    }

    /// Accounts, journal and both entries: three statements, or one on PostgreSQL, as the service does.
    fn posting(&self, people: &People, in_one: bool, now: DateTime<Utc>) -> Vec<Step> {
        let journal = Uuid::now_v7();
        let accounts = [id(self.account), id(self.member), id(people.books)];
        let written = [id(journal), id(self.record), id(people.manager), time(now), time(now)];
        if in_one {
            return vec![must(
                "WITH opened AS (INSERT INTO account (id, programme, kind, member_id, region_code) VALUES ($1, 'default', 'member', $2, NULL), ($3, 'default', 'issued', NULL, '130202009001') ON CONFLICT DO NOTHING), posted AS (INSERT INTO journal (id, programme, kind, source_kind, source_id, actor_kind, actor_id, at, posted_at) VALUES ($4, 'default', 'earn', 'service_record', $5, 'staff', $6, $7, $8)) INSERT INTO entry (journal_id, line, account_id, amount) VALUES ($4, 1, $1, 216), ($4, 2, $3, -216)",
                accounts.into_iter().chain(written),
            )];
        }
        vec![
            may(
                "INSERT INTO account (id, programme, kind, member_id, region_code) VALUES ($1, 'default', 'member', $2, NULL), ($3, 'default', 'issued', NULL, '130202009001') ON CONFLICT DO NOTHING",
                accounts,
            ),
            must(
                "INSERT INTO journal (id, programme, kind, source_kind, source_id, actor_kind, actor_id, at, posted_at) VALUES ($1, 'default', 'earn', 'service_record', $2, 'staff', $3, $4, $5)",
                written,
            ),
            must(
                "INSERT INTO entry (journal_id, line, account_id, amount) VALUES ($1, 1, $2, 216), ($3, 2, $4, -216)",
                [id(journal), id(self.account), id(journal), id(people.books)],
            ),
        ]
    }

    /// The claim, and its task, locked.
    fn found(&self) -> Vec<Step> {
        vec![
            must(
                "SELECT * FROM claim WHERE id = $1 AND region_code >= '130202009' AND region_code < '130202010'",
                [id(self.claim)],
            ),
            must("SELECT * FROM task WHERE id = $1 FOR UPDATE", [id(self.task)]),
        ]
    }

    /// The claims on the task counted, and its status `moved`.
    fn recounted(&self, moved: bool, status: &str, now: DateTime<Utc>) -> Vec<Step> {
        let mut steps =
            vec![must("SELECT status, COUNT(id) FROM claim WHERE task_id = $1 GROUP BY status", [id(self.task)])];
        if moved {
            steps.push(must(
                "UPDATE task SET status = $1, taken = taken, updated_at = $2 WHERE id = $3",
                [text(status), time(now), id(self.task)],
            ));
        }
        steps
    }

    /// The deadlines in force, the wish moved if it has to, and read.
    fn wish_follows(&self, sql: &'static str, values: Vec<Value>) -> [Step; 3] {
        [
            may(
                "SELECT key, value, updated_at FROM setting WHERE key IN ('wish.answer_hours', 'wish.contact_hours', 'wish.completion_hours')",
                [],
            ),
            may(sql, values),
            must("SELECT * FROM wish WHERE id = $1", [id(self.wish)]),
        ]
    }
}

/// When the windows of the tasks begin and end: so that an hour and a bit has been served when claims are checked out.
pub(crate) fn window() -> (DateTime<Utc>, DateTime<Utc>) {
    let now = DateTime::from_timestamp(Utc::now().timestamp(), 0).expect("a time");
    (now - TimeDelta::minutes(65), now + TimeDelta::minutes(595))
}

/// A line of the trail.
fn audited(action: &str, kind: &str, object: Uuid, by: Uuid, now: DateTime<Utc>) -> Step {
    must(
        "INSERT INTO audit (id, at, actor_kind, actor_id, action, object_kind, object_id, region_code, outcome, detail) VALUES ($1, $2, 'staff', $3, $4, $5, $6, '130202009001', 'done', '{\"at\": \"2026-11-22T10:00:00Z\"}')",
        [id(Uuid::now_v7()), time(now), id(by), text(action), text(kind), text(&object.to_string())],
    )
}

/// The answer kept under the caller's key.
pub(crate) fn key(actor: String, now: DateTime<Utc>) -> Step {
    must(
        "INSERT INTO idempotency (actor, key, fingerprint, status, body, created_at) VALUES ($1, $2, $3, 200, $4, $5) ON CONFLICT (actor, key) DO NOTHING",
        [
            Value::Text(actor),
            text(&Uuid::now_v7().to_string()),
            Value::Bytes(vec![7; 32]),
            Value::Bytes(vec![7; ANSWER]),
            time(now),
        ],
    )
}
