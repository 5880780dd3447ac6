//! Whose something is: every row kept carries a tenant and a user, and every read filters by both.

/// A user of a tenant. Both are opaque ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The tenant's id.
    pub tenant: String,
    /// The user's id within the tenant.
    pub user: String,
}

impl Owner {
    /// Tenant id of the owner of local mode.
    pub const LOCAL_TENANT: &'static str = "local";
    /// User id of the owner of local mode. The first account made takes this row over.
    pub const LOCAL_USER: &'static str = "local-owner";

    /// The one owner of local mode, present in every database from the first migration on.
    pub fn local() -> Self {
        Self {
            tenant: Self::LOCAL_TENANT.to_owned(),
            user: Self::LOCAL_USER.to_owned(),
        }
    }
}
