import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { ShieldAlert, ShieldCheck } from "lucide-react";
import { auditQuery, checkAudit, usersQuery } from "@/api/accounts";
import type { Account, AuditEvent } from "@/api/types";
import { dateAndTime, deedWords, deviceName, personName } from "@/lib/people";
import { remedyOf } from "@/lib/problems";
import { Button } from "@/ui/Button";
import { ListEnd } from "@/ui/ListEnd";

/** What was done to accounts and sign-ins, and whether anybody changed that afterwards. */
export default function AuditSection() {
  const query = useInfiniteQuery(auditQuery);
  const users = useInfiniteQuery(usersQuery);
  const events = query.data?.pages.flatMap((page) => page.items) ?? [];
  const people = new Map(
    users.data?.pages.flatMap((page) => page.items).map((account) => [account.id, account]) ?? [],
  );
  return (
    <>
      <p className="text-muted">
        Each entry holds a fingerprint of the one before, so that one changed or taken out shows.
      </p>
      <ChainState />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and a keyboard must be able to */}
      <section className="table-box" aria-label="Entries" tabIndex={0}>
        <table className="audit">
          <thead>
            <tr>
              <th scope="col">No.</th>
              <th scope="col">When</th>
              <th scope="col">What</th>
              <th scope="col">By</th>
              <th scope="col">To</th>
              <th scope="col">From</th>
            </tr>
          </thead>
          <tbody>
            {events.map((event) => (
              <AuditRow key={event.id} event={event} people={people} />
            ))}
          </tbody>
        </table>
      </section>
      <ListEnd query={query} what="entries" />
    </>
  );
}

interface AuditRowProps {
  event: AuditEvent;
  people: ReadonlyMap<string, Account>;
}

function AuditRow({ event, people }: AuditRowProps) {
  const nameOf = (id: string) => {
    const account = people.get(id);
    return account ? personName(account) : id;
  };
  const device = event.device && deviceName({ device: event.device, kind: "browser" });
  return (
    <tr>
      <td>{event.position}</td>
      <td className="whitespace-nowrap">{dateAndTime(event.at)}</td>
      <td title={event.action}>{deedWords(event)}</td>
      <td>{nameOf(event.user)}</td>
      <td>{event.target && event.target !== event.user ? nameOf(event.target) : ""}</td>
      <td title={event.device ?? undefined}>
        {[event.address, device].filter(Boolean).join(", ")}
      </td>
    </tr>
  );
}

/** Whether the log is as it was written. Every entry is read for it, so only when asked. */
function ChainState() {
  const check = useQuery({
    queryKey: ["audit-check"],
    queryFn: checkAudit,
    enabled: false,
    gcTime: 0,
  });
  const broken = check.data?.broken_at ?? null;
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
      <Button small disabled={check.isFetching} onClick={() => check.refetch()}>
        {check.isFetching ? "Reading every entry…" : "Check the whole log"}
      </Button>
      <p role="status" className="flex items-center gap-2">
        {check.isError && `Not checked. ${remedyOf(check.error).detail}`}
        {check.isSuccess && broken === null && (
          <>
            <ShieldCheck size={17} className="text-leaf" aria-hidden="true" />
            Every entry is as it was written.
          </>
        )}
        {check.isSuccess && broken !== null && (
          <>
            <ShieldAlert size={17} className="text-danger-ink" aria-hidden="true" />
            Changed since it was written, or something is missing: from entry {broken} on
          </>
        )}
      </p>
    </div>
  );
}
