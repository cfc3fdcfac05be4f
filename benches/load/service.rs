//! The service of one run, with what its clients need, and the calls they make of it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use uuid::Uuid;

use crate::compare::{end, round};
use crate::floor::Round;
use crate::support::wire::Wire;
use crate::support::{Answer, Place, Server};

pub(crate) struct Service {
    pub(crate) wire: Arc<Wire>,
    /// Tokens of members, in order of their refs.
    pub(crate) members: Arc<Vec<String>>,
    goods: Vec<String>,
    hot: String,
    counter: Arc<AtomicU64>,
}

impl Service {
    /// With tokens for `members` members.
    pub(crate) async fn new(place: &Place, server: &Server, members: usize) -> Arc<Self> {
        let tokens = place.tokens(&["token", "members", "--limit", &members.to_string()]);
        let members: Vec<String> = tokens.into_iter().map(|(_, token)| token).collect();
        let wire = Arc::new(Wire::new(server.port));
        let (mut goods, mut hot, mut cursor) = (Vec::new(), String::new(), String::new());
        loop {
            let path = format!("/api/v1/goods?limit=100{cursor}");
            let page = wire.get(&path, &members[0]).await.expect("goods").json();
            for item in page["items"].as_array().expect("items") {
                let id = item["id"].as_str().expect("an id").to_owned();
                if item["ref"].as_str().is_some_and(|name| name.starts_with('L')) { hot = id } else { goods.push(id) }
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        Arc::new(Self { wire, members: Arc::new(members), goods, hot, counter: Arc::default() })
    }

    /// Reservations by many members, of many goods or of one.
    pub(crate) async fn reserve(self: &Arc<Self>, hot: bool) -> Round {
        let service = Arc::clone(self);
        round(&self.counter, move |turn| {
            let service = Arc::clone(&service);
            async move { end(service.reserve_one(turn, hot).await.as_ref(), 201) }
        })
        .await
    }

    /// The reservation of this turn.
    pub(crate) async fn reserve_one(&self, turn: u64, hot: bool) -> Option<Answer> {
        let goods = if hot { &self.hot } else { &self.goods[turn as usize % self.goods.len()] };
        let body = format!(r#"{{"goods_id":"{goods}","quantity":1}}"#);
        let token = &self.members[turn as usize % self.members.len()];
        self.wire.post("/api/v1/redemptions", token, &Uuid::now_v7().to_string(), &body).await
    }

    /// Ids of what members find in the list at `path`, with their tokens.
    pub(crate) async fn some(&self, path: &str) -> Arc<Vec<(String, String)>> {
        let mut found = Vec::new();
        for token in self.members.iter().take(500) {
            let page = self.wire.get(&format!("/api/v1/me/{path}?limit=5"), token).await.expect("a list").json();
            let ids = page["items"].as_array().into_iter().flatten();
            found.extend(ids.filter_map(|item| item["id"].as_str()).map(|id| (id.to_owned(), token.clone())));
        }
        assert!(!found.is_empty(), "nobody has any {path}");
        Arc::new(found)
    }

    /// Reads of one object by its id.
    pub(crate) async fn read(&self, path: &'static str, ids: &Arc<Vec<(String, String)>>) -> Round {
        let (wire, ids) = (Arc::clone(&self.wire), Arc::clone(ids));
        round(&self.counter, move |turn| {
            let (wire, ids) = (Arc::clone(&wire), Arc::clone(&ids));
            async move {
                let (id, token) = &ids[turn as usize % ids.len()];
                end(wire.get(&format!("/api/v1/{path}/{id}"), token).await.as_ref(), 200)
            }
        })
        .await
    }

    /// The first hundred of the board that `query` asks for.
    pub(crate) async fn board(&self, query: &'static str) -> Round {
        let (wire, members) = (Arc::clone(&self.wire), Arc::clone(&self.members));
        round(&self.counter, move |turn| {
            let (wire, members) = (Arc::clone(&wire), Arc::clone(&members));
            async move {
                let path = format!("/api/v1/rankings?board=members&metric=points&limit=100&{query}");
                end(wire.get(&path, &members[turn as usize % members.len()]).await.as_ref(), 200)
            }
        })
        .await
    }

    /// The process answering without looking at anything: what HTTP itself allows.
    pub(crate) async fn hello(&self) -> Round {
        let wire = Arc::clone(&self.wire);
        round(&self.counter, move |_| {
            let wire = Arc::clone(&wire);
            async move { end(wire.get("/healthz", "").await.as_ref(), 200) }
        })
        .await
    }
}
