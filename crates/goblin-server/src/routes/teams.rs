//! Teams and who is in them.

use axum::Json;
use axum::extract::State;
use goblin_core::account::{Role, Team};
use goblin_core::conversation::Problem;
use goblin_core::error::ApiError;
use goblin_core::limits::MAX_TITLE_CHARS;
use http::StatusCode;

use crate::app::AppState;
use crate::caller::Caller;
use crate::extract::{MemberId, PathId, QueryFields, RawBody};
use crate::fields::Fields;
use crate::openapi::accounts::{MemberBody, MembersAnswer, TeamBody, TeamPage};
use crate::refusal::Refusal;

/// Lists the caller's teams, newest first, a page at a time; to owners and admins all of them.
#[utoipa::path(
    get, path = "/api/teams", tag = "Teams", security(("local" = [])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "1–200 teams; 50 when absent."),
    ),
    responses(
        (status = 200, description = "A page.", body = TeamPage),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list_teams(
    State(app): State<AppState>,
    caller: Caller,
    query: QueryFields,
) -> Result<Json<TeamPage>, Refusal> {
    let (cursor, limit) = query.page(50)?;
    let page = app
        .identity()?
        .list_teams(caller.principal(), cursor.as_deref(), limit)
        .await?;
    Ok(Json(TeamPage {
        items: page.items,
        next_cursor: page.next_cursor,
    }))
}

/// Makes a team without anybody in it.
#[utoipa::path(
    post, path = "/api/teams", tag = "Teams", security(("local" = [])),
    request_body = TeamBody,
    responses(
        (status = 201, description = "The team.", body = Team),
        (status = "4XX", description = "Refused; 409 when there is one of that name.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn create_team(
    State(app): State<AppState>,
    caller: Caller,
    RawBody(body): RawBody,
) -> Result<(StatusCode, Json<Team>), Refusal> {
    let name = name(&body)?;
    let team = app
        .identity()?
        .create_team(caller.principal(), caller.visit()?, &name)
        .await?;
    Ok((StatusCode::CREATED, Json(team)))
}

/// Gives a team another name. For owners and admins, of the server or of the team.
#[utoipa::path(
    patch, path = "/api/teams/{id}", tag = "Teams", security(("local" = [])),
    params(("id" = String, Path, description = "The team.")),
    request_body = TeamBody,
    responses(
        (status = 200, description = "The team as it is now.", body = Team),
        (status = "4XX", description = "Refused; 409 when there is another of that name.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn update_team(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
    RawBody(body): RawBody,
) -> Result<Json<Team>, Refusal> {
    let name = name(&body)?;
    let identity = app.identity()?;
    let team = identity
        .rename_team(caller.principal(), caller.visit()?, &id, &name)
        .await?;
    Ok(Json(team))
}

/// Ends a team. Its members stay who they are.
#[utoipa::path(
    delete, path = "/api/teams/{id}", tag = "Teams", security(("local" = [])),
    params(("id" = String, Path, description = "The team.")),
    responses(
        (status = 204, description = "Ended."),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn delete_team(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<StatusCode, Refusal> {
    let identity = app.identity()?;
    identity
        .delete_team(caller.principal(), caller.visit()?, &id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists everybody in a team, by address. To whoever is not in it and no admin, it is not there.
#[utoipa::path(
    get, path = "/api/teams/{id}/members", tag = "Teams", security(("local" = [])),
    params(("id" = String, Path, description = "The team.")),
    responses(
        (status = 200, description = "Who.", body = MembersAnswer),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list_team_members(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Json<MembersAnswer>, Refusal> {
    let identity = app.identity()?;
    let items = identity.list_team_members(caller.principal(), &id).await?;
    Ok(Json(MembersAnswer { items }))
}

/// Takes somebody into a team, or changes what they may do there.
#[utoipa::path(
    put, path = "/api/teams/{id}/members/{user}", tag = "Teams", security(("local" = [])),
    params(
        ("id" = String, Path, description = "The team."),
        ("user" = String, Path, description = "The account."),
    ),
    request_body = MemberBody,
    responses(
        (status = 204, description = "Done."),
        (status = "4XX", description = "Refused; 409 when the team is full.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn put_team_member(
    State(app): State<AppState>,
    caller: Caller,
    MemberId { team, user }: MemberId,
    RawBody(body): RawBody,
) -> Result<StatusCode, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let refused = || ApiError::invalid("role", "`role` must be `viewer`, `member`, `admin` or `owner`.");
    let word = fields.label("role", 16).map_err(|_| refused())?.flatten();
    fields.finish()?;
    let role = word.map_or(Some(Role::Member), |word| Role::parse(&word));
    let role = role.ok_or_else(refused)?;
    let identity = app.identity()?;
    identity
        .put_team_member(caller.principal(), caller.visit()?, &team, &user, role)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes somebody out of a team; everybody may take themselves out.
#[utoipa::path(
    delete, path = "/api/teams/{id}/members/{user}", tag = "Teams", security(("local" = [])),
    params(
        ("id" = String, Path, description = "The team."),
        ("user" = String, Path, description = "The account."),
    ),
    responses(
        (status = 204, description = "Out."),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn delete_team_member(
    State(app): State<AppState>,
    caller: Caller,
    MemberId { team, user }: MemberId,
) -> Result<StatusCode, Refusal> {
    let identity = app.identity()?;
    identity
        .delete_team_member(caller.principal(), caller.visit()?, &team, &user)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn name(body: &[u8]) -> Result<String, ApiError> {
    let mut fields = Fields::parse(body)?;
    let name = fields.label("name", MAX_TITLE_CHARS)?.flatten();
    fields.finish()?;
    let name = name
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty());
    name.ok_or_else(|| ApiError::invalid("name", "`name` must say what the team is called."))
}
