//! Middleware: from a token to a [`Caller`], with one indexed read a request and no cache, so that logging out, disabling
//! and a change of role act at the next request on every node.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};
use chrono::{DateTime, Utc};
use entity::id::{MemberId, SessionId, StaffId, StationId};
use entity::staff::Role;
use sea_orm::{ConnectionTrait as _, FromQueryResult, Statement};

use super::caller::{Caller, MemberCaller, StaffCaller};
use crate::app::{AppState, BASE_PATH, State};
use crate::crypto::token_hash;
use crate::http::{Problem, refuse};
use crate::region::RegionCode;

/// Longer than any token of ours; what is longer is not even hashed.
const MOST_TOKEN_BYTES: usize = 128;

/// Lets requests to the API through as whoever their bearer token says: nobody without one, 401 with one that does not
/// count. `/auth/*` reads what it needs by itself.
///
/// # Errors
/// What is further inside gave.
pub async fn authenticate<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if !needs_caller(request.path()) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let signed_in = match (token_in(request.headers()), request.app_data::<State>()) {
        (Ok(None), _) => Ok(None),
        (Ok(Some(token)), Some(state)) => identify(state, token).await.map(Some),
        (Ok(Some(_)), None) | (Err(_), _) => Err(Problem::unauthenticated()),
    };
    match signed_in {
        Ok(Some(SignedIn { caller, session })) => {
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(session);
        }
        Ok(None) => {}
        Err(problem) => return Ok(refuse(request, &problem)),
    }
    Ok(next.call(request).await?.map_into_left_body())
}

fn needs_caller(path: &str) -> bool {
    path.strip_prefix(BASE_PATH).is_some_and(|rest| !rest.starts_with("/auth/"))
}

/// The bearer token of a request; none where there is no `Authorization` header.
///
/// # Errors
/// 401 for another scheme, a second header, or what cannot be a token.
pub(super) fn token_in(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION);
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    let token = text.and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        let token = token.trim_matches(' ');
        let fits = (1..=MOST_TOKEN_BYTES).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
        (scheme.eq_ignore_ascii_case("bearer") && fits).then_some(token)
    });
    token.map(Some).ok_or_else(Problem::unauthenticated)
}

/// A caller and the session that the token belongs to.
pub(super) struct SignedIn {
    pub(super) caller: Caller,
    pub(super) session: SessionId,
}

const WHO: &str = "SELECT t.kind AS kind, t.expires_at AS token_expires_at, s.id AS session_id, \
    s.expires_at AS session_expires_at, s.ended_at AS ended_at, \
    m.id AS member_id, m.name AS member_name, m.region_code AS member_region, m.is_volunteer AS is_volunteer, \
    m.is_party_member AS is_party_member, m.disabled_at AS member_disabled_at, m.erased_at AS erased_at, \
    m.merged_into AS merged_into, \
    c.id AS staff_id, c.role AS role, c.region_code AS staff_region, c.station_id AS station_id, \
    c.member_id AS staff_member_id, c.disabled_at AS staff_disabled_at \
    FROM token t JOIN session s ON s.id = t.session_id LEFT JOIN member m ON m.id = s.member_id \
    LEFT JOIN staff c ON c.id = s.staff_id WHERE t.hash = $1";

#[derive(FromQueryResult)]
struct Row {
    kind: entity::token::TokenKind,
    token_expires_at: DateTime<Utc>,
    session_id: SessionId,
    session_expires_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    member_id: Option<MemberId>,
    member_name: Option<String>,
    member_region: Option<String>,
    is_volunteer: Option<bool>,
    is_party_member: Option<bool>,
    member_disabled_at: Option<DateTime<Utc>>,
    erased_at: Option<DateTime<Utc>>,
    merged_into: Option<MemberId>,
    staff_id: Option<StaffId>,
    role: Option<Role>,
    staff_region: Option<String>,
    station_id: Option<StationId>,
    staff_member_id: Option<MemberId>,
    staff_disabled_at: Option<DateTime<Utc>>,
}

/// Who holds `token` now.
///
/// # Errors
/// 401 for a token that is unknown, expired, for refreshing, of an ended session or of an account that is disabled, erased
/// or joined to another; 503 where the database does not answer.
pub(super) async fn identify(state: &AppState, token: &str) -> Result<SignedIn, Problem> {
    let values = [token_hash(token).into()];
    let statement = Statement::from_sql_and_values(state.db.backend(), WHO, values);
    let row = state.db.lookup().query_one_raw(statement).await?;
    let row = row.map(|row| Row::from_query_result(&row, "")).transpose()?;
    row.and_then(|row| caller_of(row, state.clock.now())).ok_or_else(Problem::unauthenticated)
}

fn caller_of(row: Row, now: DateTime<Utc>) -> Option<SignedIn> {
    let in_force = row.kind == entity::token::TokenKind::Access
        && row.ended_at.is_none()
        && now < row.token_expires_at
        && now < row.session_expires_at;
    if !in_force {
        return None;
    }
    let session = row.session_id;
    let caller = if row.staff_id.is_some() { staff_of(row) } else { member_of(row) };
    caller.map(|caller| SignedIn { caller, session })
}

fn member_of(row: Row) -> Option<Caller> {
    if row.member_disabled_at.is_some() || row.erased_at.is_some() || row.merged_into.is_some() {
        return None;
    }
    // A profile is complete with name and region; before that the caller has no region.
    let region = row.member_name.and(row.member_region).and_then(|code| RegionCode::parse(&code).ok());
    Some(Caller::Member(MemberCaller {
        id: row.member_id?,
        region,
        volunteer: row.is_volunteer?,
        party_member: row.is_party_member?,
    }))
}

fn staff_of(row: Row) -> Option<Caller> {
    if row.staff_disabled_at.is_some() {
        return None;
    }
    Some(Caller::Staff(StaffCaller {
        id: row.staff_id?,
        role: row.role?,
        region: RegionCode::parse(&row.staff_region?).ok()?,
        station: row.station_id,
        member: row.staff_member_id,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn token(values: &[&str]) -> Result<Option<String>, &'static str> {
        let mut request = TestRequest::default();
        for value in values {
            request = request.append_header((AUTHORIZATION, *value));
        }
        let request = request.to_http_request();
        token_in(request.headers()).map(|token| token.map(str::to_owned)).map_err(|problem| problem.code())
    }

    #[test]
    fn only_one_bearer_token_counts() {
        assert_eq!(token(&[]), Ok(None));
        assert_eq!(token(&["Bearer abc"]), Ok(Some("abc".into())));
        assert_eq!(token(&["bearer  abc"]), Ok(Some("abc".into())));
        let long = format!("Bearer {}", "a".repeat(129));
        for refused in [
            vec!["Basic abc"],
            vec!["Bearer"],
            vec!["Bearer "],
            vec!["Bearer a b"],
            vec!["Bearer a", "Bearer b"],
            vec![&*long],
        ] {
            assert_eq!(token(&refused), Err("unauthenticated"), "{refused:?}");
        }
    }

    #[test]
    fn the_api_needs_a_caller_and_sign_in_does_not() {
        assert!(needs_caller("/api/v1/me") && needs_caller("/api/v1/authors"));
        assert!(!needs_caller("/api/v1/auth/staff") && !needs_caller("/healthz"));
    }
}
