import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { Ban, Ellipsis, KeyRound, LogOut, RotateCcw, Trash2 } from "lucide-react";
import { useState } from "react";
import {
  createResetLink,
  deleteUser,
  endUserSessions,
  linkAddress,
  updateUser,
  usersQuery,
} from "@/api/accounts";
import { useOwnAccount } from "@/api/signIn";
import type { Account, AccountChange, LinkMade, Role } from "@/api/types";
import { date, dateAndTime, personName, rolesBelow, roleWords } from "@/lib/people";
import { remedyOf } from "@/lib/problems";
import { announce } from "@/ui/announce";
import { IconButton } from "@/ui/Button";
import { Confirm } from "@/ui/Confirm";
import { Choice } from "@/ui/Field";
import { ListEnd } from "@/ui/ListEnd";
import { Menu, MenuItem } from "@/ui/Menu";
import { ShownOnce } from "@/ui/ShownOnce";
import { showToast } from "@/ui/toasts";

interface Offered {
  account: Account;
  made: LinkMade;
}

/** Everybody with an account: what they may do, and ways to shut out, let in and help. */
export default function UsersSection() {
  const client = useQueryClient();
  const query = useInfiniteQuery(usersQuery);
  const [offered, setOffered] = useState<Offered | null>(null);
  const [deleting, setDeleting] = useState<Account | null>(null);
  const [shuttingOut, setShuttingOut] = useState<Account | null>(null);
  const accounts = query.data?.pages.flatMap((page) => page.items) ?? [];
  const reload = () => client.invalidateQueries({ queryKey: usersQuery.queryKey });

  async function change(account: Account, to: AccountChange, done: string) {
    await updateUser(account.id, to);
    announce(done);
    await reload();
  }

  /** What fails is said; the list then shows how things really are. */
  async function attempt(work: () => Promise<unknown>) {
    try {
      await work();
    } catch (error) {
      showToast({ text: `Not done. ${remedyOf(error).detail}`, milliseconds: 8000 });
      await reload();
    }
  }

  return (
    <>
      <p className="text-muted">
        Whose role changes signs in again. Whoever is shut out keeps their chats and cannot sign in.
      </p>
      {offered && (
        <ShownOnce
          key={offered.made.id}
          title={`Link for ${personName(offered.account)}`}
          secret={linkAddress(offered.made)}
          copyLabel="Copy link"
          onDone={() => setOffered(null)}
        >
          Give it to {offered.account.email}: with it they set another password. It works once,
          until {dateAndTime(offered.made.expires_at)}, and is not shown again.
        </ShownOnce>
      )}
      <ul className="rows" aria-label="People">
        {accounts.map((account) => (
          <UserRow
            key={account.id}
            account={account}
            onRole={(role) =>
              attempt(() =>
                change(account, { role }, `${personName(account)} is ${roleWords[role].name} now`),
              )
            }
            onShutOut={() => setShuttingOut(account)}
            onDelete={() => setDeleting(account)}
            onLetIn={() =>
              attempt(() =>
                change(account, { disabled: false }, `${personName(account)} may sign in again`),
              )
            }
            onReset={() =>
              attempt(async () => setOffered({ account, made: await createResetLink(account.id) }))
            }
            onSignOut={() =>
              attempt(async () => announce(`Sign-ins ended: ${await endUserSessions(account.id)}`))
            }
          />
        ))}
      </ul>
      <ListEnd query={query} what="people" />
      {shuttingOut && (
        <Confirm
          title={`Shut out ${personName(shuttingOut)}?`}
          action="Shut out"
          onClose={() => setShuttingOut(null)}
          onConfirm={() =>
            change(shuttingOut, { disabled: true }, `${personName(shuttingOut)} is shut out`)
          }
        >
          <p>Their sign-ins end at once. Their chats stay, and you can let them in again.</p>
        </Confirm>
      )}
      {deleting && (
        <Confirm
          title={`Delete the account of ${personName(deleting)}?`}
          action="Delete for good"
          onClose={() => setDeleting(null)}
          onConfirm={async () => {
            await deleteUser(deleting.id);
            announce(`Account deleted: ${personName(deleting)}`);
            await reload();
          }}
        >
          <p>Their chats, traces and sign-ins are erased for good. It cannot be taken back.</p>
        </Confirm>
      )}
    </>
  );
}

interface UserRowProps {
  account: Account;
  onRole: (role: Role) => void;
  onShutOut: () => void;
  onDelete: () => void;
  onLetIn: () => void;
  onReset: () => void;
  onSignOut: () => void;
}

function UserRow(props: UserRowProps) {
  const { account, onRole, onShutOut, onDelete, onLetIn, onReset, onSignOut } = props;
  const own = useOwnAccount();
  const name = personName(account);
  const isOwn = own?.id === account.id;
  const given = own && !isOwn ? rolesBelow(own.role) : [];
  const mayChange = given.includes(account.role);
  const isOut = account.disabled_at !== null;
  return (
    <li data-user={account.id}>
      <div className="row-text">
        <p>
          <strong>{name}</strong>
          {isOwn && <span className="state-mark ml-2">you</span>}
          {isOut && (
            <span className="state-mark ml-2" data-state="down">
              shut out
            </span>
          )}
        </p>
        <p className="row-more">
          {account.name && <span>{account.email}</span>}
          <span title={dateAndTime(account.created_at)}>since {date(account.created_at)}</span>
        </p>
      </div>
      {mayChange ? (
        <div className="row-side">
          <Choice
            quiet
            label={`Role of ${name}`}
            value={account.role}
            choices={given.map((role) => ({ value: role, label: roleWords[role].name }))}
            onChoose={onRole}
          />
          <Menu
            label={`Actions for ${name}`}
            align="end"
            trigger={
              <IconButton label={`Actions for ${name}`}>
                <Ellipsis size={17} />
              </IconButton>
            }
          >
            <MenuItem icon={<KeyRound size={15} />} onSelect={onReset}>
              Make a link for another password
            </MenuItem>
            <MenuItem icon={<LogOut size={15} />} onSelect={onSignOut}>
              End all sign-ins
            </MenuItem>
            {isOut ? (
              <MenuItem icon={<RotateCcw size={15} />} onSelect={onLetIn}>
                Let in again
              </MenuItem>
            ) : (
              <MenuItem icon={<Ban size={15} />} danger onSelect={onShutOut}>
                Shut out
              </MenuItem>
            )}
            <MenuItem icon={<Trash2 size={15} />} danger onSelect={onDelete}>
              Delete the account
            </MenuItem>
          </Menu>
        </div>
      ) : (
        <span className="text-muted">{roleWords[account.role].name}</span>
      )}
    </li>
  );
}
