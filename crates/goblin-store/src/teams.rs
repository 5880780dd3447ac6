//! Teams: people of a tenant who belong together, each with a role within the team. A team owns nothing.

use goblin_core::account::{Role, Team, TeamMember};
use goblin_core::clock::Timestamp;
use goblin_core::limits::MAX_PAGE;
use goblin_core::owner::Owner;

use crate::audit::NewAudit;
use crate::chat_rows::storable;
use crate::chats::Page;
use crate::cursor::Cursor;
use crate::error::StoreError;
use crate::sql::{Link, Row, query};
use crate::store::Store;

/// Most members of a team.
pub const MAX_MEMBERS: usize = 1000;

impl Store {
    /// Makes a team; `first`, when given, becomes its owner.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the tenant has a team of that name.
    pub async fn insert_team(
        &self,
        tenant: &str,
        name: &str,
        first: Option<&Owner>,
        audit: &NewAudit,
    ) -> Result<Team, StoreError> {
        let (id, now) = (self.next_id(), self.now());
        let mut tx = self.begin_write().await?;
        let done = query(
            "INSERT INTO teams (id, tenant_id, name, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant_id, name) DO NOTHING",
        )
        .bind(&id)
        .bind(tenant)
        .bind(storable(name))
        .bind(now.0)
        .execute(&mut tx)
        .await?;
        if done == 0 {
            return Err(StoreError::Taken("team's name"));
        }
        if let Some(first) = first {
            put_member(&mut tx, &id, first, Role::Owner, now).await?;
        }
        self.append_audit(&mut tx, &about(audit, &id)).await?;
        tx.commit().await?;
        Ok(Team {
            id,
            name: storable(name).into_owned(),
            members: u64::from(first.is_some()),
            created_at: now,
        })
    }

    /// A tenant's teams, or only those `of` is in; newest first, at most `limit` (1 to [`MAX_PAGE`]).
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`].
    pub async fn list_teams(
        &self,
        tenant: &str,
        of: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Team>, StoreError> {
        let after = Cursor::decode(cursor)?;
        let limit = limit.clamp(1, MAX_PAGE);
        let rows = query(
            "SELECT id, name, created_at,
                    (SELECT COUNT(*) FROM team_members WHERE team_members.team_id = teams.id) AS members
             FROM teams
             WHERE tenant_id = $1 AND (created_at, id) < ($2, $3)
               AND ($4 = '' OR id IN (SELECT team_id FROM team_members WHERE tenant_id = $1 AND user_id = $4))
             ORDER BY created_at DESC, id DESC LIMIT $5",
        )
        .bind(tenant)
        .bind(after.at.0)
        .bind(&after.id)
        .bind(of.unwrap_or_default())
        .bind(i64::from(limit) + 1)
        .fetch_all(&mut self.read().await?)
        .await?;
        let items = rows.iter().map(team_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(items, limit, |team| Cursor {
            at: team.created_at,
            id: team.id.clone(),
        }))
    }

    /// The team, unless it is another tenant's.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_team(&self, tenant: &str, id: &str) -> Result<Option<Team>, StoreError> {
        let row = query(
            "SELECT id, name, created_at,
                    (SELECT COUNT(*) FROM team_members WHERE team_members.team_id = teams.id) AS members
             FROM teams WHERE tenant_id = $1 AND id = $2",
        )
        .bind(tenant)
        .bind(id)
        .fetch_optional(&mut self.read().await?)
        .await?;
        row.as_ref().map(team_from).transpose()
    }

    /// What somebody may do within a team of their tenant; `None`: they are not in it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_team_role(&self, owner: &Owner, team: &str) -> Result<Option<Role>, StoreError> {
        let row =
            query("SELECT role FROM team_members WHERE team_id = $1 AND tenant_id = $2 AND user_id = $3")
                .bind(team)
                .bind(&owner.tenant)
                .bind(&owner.user)
                .fetch_optional(&mut self.read().await?)
                .await?;
        row.as_ref().map(role_of).transpose()
    }

    /// Everybody in a team, by name; at most [`MAX_MEMBERS`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_team_members(&self, tenant: &str, team: &str) -> Result<Vec<TeamMember>, StoreError> {
        let rows = query(
            "SELECT users.id, users.email_typed, users.name, team_members.role, team_members.created_at
             FROM team_members
             JOIN users ON users.tenant_id = team_members.tenant_id AND users.id = team_members.user_id
             WHERE team_members.tenant_id = $1 AND team_members.team_id = $2 AND users.email IS NOT NULL
             ORDER BY users.email LIMIT $3",
        )
        .bind(tenant)
        .bind(team)
        .bind(i64::try_from(MAX_MEMBERS).unwrap_or(i64::MAX))
        .fetch_all(&mut self.read().await?)
        .await?;
        rows.iter().map(member_from).collect()
    }

    /// Gives a team another name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Taken`] when the tenant has another team of that name.
    pub async fn update_team(
        &self,
        tenant: &str,
        id: &str,
        name: &str,
        audit: &NewAudit,
    ) -> Result<(), StoreError> {
        let name = storable(name);
        let mut tx = self.begin_write().await?;
        lock_team(&mut tx, tenant, id).await?;
        let other = query("SELECT id FROM teams WHERE tenant_id = $1 AND name = $2 AND id <> $3")
            .bind(tenant)
            .bind(name.as_ref())
            .bind(id)
            .fetch_optional(&mut tx)
            .await?;
        if other.is_some() {
            return Err(StoreError::Taken("team's name"));
        }
        query("UPDATE teams SET name = $3 WHERE tenant_id = $1 AND id = $2")
            .bind(tenant)
            .bind(id)
            .bind(name.as_ref())
            .execute(&mut tx)
            .await?;
        self.append_audit(&mut tx, &about(audit, id)).await?;
        tx.commit().await
    }

    /// Ends a team. Its members stay who they are.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_team(&self, tenant: &str, id: &str, audit: &NewAudit) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        let done = query("DELETE FROM teams WHERE tenant_id = $1 AND id = $2")
            .bind(tenant)
            .bind(id)
            .execute(&mut tx)
            .await?;
        if done == 0 {
            return Err(StoreError::NotFound("team"));
        }
        self.append_audit(&mut tx, &about(audit, id)).await?;
        tx.commit().await
    }

    /// Takes somebody with an account into a team of their tenant, or changes their role there.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a team or a user that is not there; [`StoreError::TeamFull`].
    pub async fn put_team_member(
        &self,
        owner: &Owner,
        team: &str,
        role: Role,
        audit: &NewAudit,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        lock_team(&mut tx, &owner.tenant, team).await?;
        let user = query("SELECT id FROM users WHERE tenant_id = $1 AND id = $2 AND email IS NOT NULL")
            .bind(&owner.tenant)
            .bind(&owner.user)
            .locking()
            .fetch_optional(&mut tx)
            .await?;
        if user.is_none() {
            return Err(StoreError::NotFound("user"));
        }
        let others = query("SELECT COUNT(*) AS found FROM team_members WHERE team_id = $1 AND user_id <> $2")
            .bind(team)
            .bind(&owner.user)
            .fetch_one(&mut tx)
            .await?;
        if others.get::<i64>("found")? >= i64::try_from(MAX_MEMBERS).unwrap_or(i64::MAX) {
            return Err(StoreError::TeamFull(MAX_MEMBERS));
        }
        put_member(&mut tx, team, owner, role, now).await?;
        self.append_audit(&mut tx, &about(audit, team)).await?;
        tx.commit().await
    }

    /// Takes somebody out of a team.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when they are not in it.
    pub async fn delete_team_member(
        &self,
        owner: &Owner,
        team: &str,
        audit: &NewAudit,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        let done = query("DELETE FROM team_members WHERE team_id = $1 AND tenant_id = $2 AND user_id = $3")
            .bind(team)
            .bind(&owner.tenant)
            .bind(&owner.user)
            .execute(&mut tx)
            .await?;
        if done == 0 {
            return Err(StoreError::NotFound("member"));
        }
        self.append_audit(&mut tx, &about(audit, team)).await?;
        tx.commit().await
    }
}

fn about(audit: &NewAudit, team: &str) -> NewAudit {
    NewAudit {
        target: audit.target.clone().or_else(|| Some(team.to_owned())),
        ..audit.clone()
    }
}

/// The team, which nobody else changes or ends meanwhile.
async fn lock_team(tx: &mut Link, tenant: &str, id: &str) -> Result<(), StoreError> {
    let found = query("SELECT id FROM teams WHERE tenant_id = $1 AND id = $2")
        .bind(tenant)
        .bind(id)
        .locking()
        .fetch_optional(tx)
        .await?;
    found.map(|_| ()).ok_or(StoreError::NotFound("team"))
}

async fn put_member(
    tx: &mut Link,
    team: &str,
    owner: &Owner,
    role: Role,
    now: Timestamp,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO team_members (team_id, tenant_id, user_id, role, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (team_id, user_id) DO UPDATE SET role = excluded.role",
    )
    .bind(team)
    .bind(&owner.tenant)
    .bind(&owner.user)
    .bind(role.as_str())
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(())
}

fn role_of(row: &Row) -> Result<Role, StoreError> {
    let word: String = row.get("role")?;
    Role::parse(&word).ok_or_else(|| StoreError::Unreadable(format!("team_members.role: {word}")))
}

fn team_from(row: &Row) -> Result<Team, StoreError> {
    Ok(Team {
        id: row.get("id")?,
        name: row.get("name")?,
        members: u64::try_from(row.get::<i64>("members")?).unwrap_or(0),
        created_at: Timestamp(row.get("created_at")?),
    })
}

fn member_from(row: &Row) -> Result<TeamMember, StoreError> {
    Ok(TeamMember {
        id: row.get("id")?,
        email: row.get("email_typed")?,
        name: row.get("name")?,
        role: role_of(row)?,
        created_at: Timestamp(row.get("created_at")?),
    })
}
