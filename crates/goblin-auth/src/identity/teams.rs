//! Teams: who makes them, and who may change who is in one.
//!
//! Owners and admins of the server may everything here. Within a team its owners and admins change who is in it as they
//! would change accounts: an owner everybody, an admin members and viewers. To whoever is in none, it is not there.

use goblin_core::account::{Role, Team, TeamMember};
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_store::audit::NewAudit;
use goblin_store::chats::Page;

use super::{Identity, deed};
use crate::principal::Principal;
use crate::visit::Visit;

impl Identity {
    /// The caller's teams, newest first; to owners and admins all of them.
    ///
    /// # Errors
    /// 422 for a cursor that is not ours.
    pub async fn list_teams(
        &self,
        caller: &Principal,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Team>, ApiError> {
        let of = (!rules(caller)).then_some(caller.owner.user.as_str());
        let tenant = &caller.owner.tenant;
        Ok(self.store().list_teams(tenant, of, cursor, limit).await?)
    }

    /// Makes a team without anybody in it.
    ///
    /// # Errors
    /// 409 when there is one of that name.
    pub async fn create_team(&self, caller: &Principal, visit: &Visit, name: &str) -> Result<Team, ApiError> {
        let audit = deed(&caller.owner, "team.made", None, visit);
        let tenant = &caller.owner.tenant;
        Ok(self.store().insert_team(tenant, name, None, &audit).await?)
    }

    /// Gives a team another name.
    ///
    /// # Errors
    /// 403 for members and viewers of it, 404, 409 when there is another of that name.
    pub async fn rename_team(
        &self,
        caller: &Principal,
        visit: &Visit,
        team: &str,
        name: &str,
    ) -> Result<Team, ApiError> {
        if self.role_in(caller, team).await? < Role::Admin {
            return Err(not_theirs());
        }
        let audit = deed(&caller.owner, "team.named", Some(team), visit);
        let tenant = &caller.owner.tenant;
        self.store()
            .update_team(tenant, team, name, &audit)
            .await
            .map_err(ApiError::from)?;
        let found = self
            .store()
            .find_team(tenant, team)
            .await
            .map_err(ApiError::from)?;
        found.ok_or_else(|| ApiError::not_found("team"))
    }

    /// Ends a team.
    ///
    /// # Errors
    /// 404.
    pub async fn delete_team(&self, caller: &Principal, visit: &Visit, team: &str) -> Result<(), ApiError> {
        let audit = deed(&caller.owner, "team.ended", Some(team), visit);
        Ok(self
            .store()
            .delete_team(&caller.owner.tenant, team, &audit)
            .await?)
    }

    /// Everybody in a team.
    ///
    /// # Errors
    /// 404, also for whoever is not in it.
    pub async fn list_team_members(
        &self,
        caller: &Principal,
        team: &str,
    ) -> Result<Vec<TeamMember>, ApiError> {
        self.role_in(caller, team).await?;
        Ok(self.store().list_team_members(&caller.owner.tenant, team).await?)
    }

    /// Takes somebody into a team, or changes what they may do there.
    ///
    /// # Errors
    /// 403 for a role the caller may not give or change, 404 for a team or a user that is not there, 409 when it is full.
    pub async fn put_team_member(
        &self,
        caller: &Principal,
        visit: &Visit,
        team: &str,
        user: &str,
        role: Role,
    ) -> Result<(), ApiError> {
        let owner = self.member(caller, team, user, Some(role)).await?;
        let audit = NewAudit {
            detail: Some(format!("{} of team {team}", role.as_str())),
            ..deed(&caller.owner, "team.joined", Some(user), visit)
        };
        Ok(self.store().put_team_member(&owner, team, role, &audit).await?)
    }

    /// Takes somebody out of a team; everybody may take themselves out.
    ///
    /// # Errors
    /// 403 for somebody the caller may not change, 404.
    pub async fn delete_team_member(
        &self,
        caller: &Principal,
        visit: &Visit,
        team: &str,
        user: &str,
    ) -> Result<(), ApiError> {
        let owner = self.member(caller, team, user, None).await?;
        let audit = NewAudit {
            detail: Some(format!("team {team}")),
            ..deed(&caller.owner, "team.left", Some(user), visit)
        };
        Ok(self.store().delete_team_member(&owner, team, &audit).await?)
    }

    /// What the caller may do within a team that is there for them.
    async fn role_in(&self, caller: &Principal, team: &str) -> Result<Role, ApiError> {
        let missing = || ApiError::not_found("team");
        if rules(caller) {
            let found = self.store().find_team(&caller.owner.tenant, team).await;
            return found
                .map_err(ApiError::from)?
                .map(|_| Role::Owner)
                .ok_or_else(missing);
        }
        let found = self.store().find_team_role(&caller.owner, team).await;
        found.map_err(ApiError::from)?.ok_or_else(missing)
    }

    /// Somebody whose place in a team the caller may change, to `role` where one is given.
    async fn member(
        &self,
        caller: &Principal,
        team: &str,
        user: &str,
        role: Option<Role>,
    ) -> Result<Owner, ApiError> {
        let own = self.role_in(caller, team).await?;
        let owner = Owner {
            tenant: caller.owner.tenant.clone(),
            user: user.to_owned(),
        };
        if role.is_none() && owner.user == caller.owner.user {
            return Ok(owner);
        }
        let found = self.store().find_team_role(&owner, team).await;
        let old = found.map_err(ApiError::from)?;
        let reaches = [old, role].into_iter().flatten().all(|role| own.manages(role));
        if own < Role::Admin || !reaches {
            return Err(not_theirs());
        }
        Ok(owner)
    }
}

/// Owners and admins of the server may everything in every team; so may whoever sits at the machine in local mode.
fn rules(caller: &Principal) -> bool {
    caller.signed_in_as().is_none_or(|one| one.role >= Role::Admin)
}

fn not_theirs() -> ApiError {
    ApiError::forbidden(
        "Your role in this team does not reach that far: its admins change members and viewers, its owners everybody.",
    )
}
