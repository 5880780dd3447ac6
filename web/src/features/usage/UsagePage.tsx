import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { useMay, useOwnAccount } from "@/api/signIn";
import type { UsageBy, UsageReport } from "@/api/types";
import { usageQuery } from "@/api/usage";
import { remedyOf } from "@/lib/problems";
import { costWords, count, everyDay, firstDay, type Measure, usageNotes } from "@/lib/usage";
import { Choice } from "@/ui/Field";
import { Sentence } from "@/ui/Sentence";
import { DayChart } from "./DayChart";
import { UsageTable } from "./UsageTable";

const spans = [
  { value: "7", label: "7 days" },
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "A year" },
] as const;

const measures: { value: Measure; label: string }[] = [
  { value: "cost", label: "Cost" },
  { value: "tokens", label: "Tokens" },
  { value: "requests", label: "Requests" },
];

/** What was used and what it cost: by day, model, key and user. */
export default function UsagePage({ menu }: { menu: ReactNode }) {
  const hasAccount = useOwnAccount() !== null;
  const maySeeAll = useMay("admin") && hasAccount;
  const [span, setSpan] = useState<(typeof spans)[number]["value"]>("30");
  const [whose, setWhose] = useState<"own" | "all">("own");
  const [measure, setMeasure] = useState<Measure>("cost");
  const everybody = maySeeAll && whose === "all";
  const from = firstDay(Number(span), Date.now());
  const days = useQuery(usageQuery("day", from, everybody));
  useEffect(() => {
    document.title = "Usage · Goblin";
  }, []);
  return (
    <main className="page">
      <header className="page-header">
        {menu}
        <h1 className="font-display text-[1.0625rem] font-semibold">Usage</h1>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and a keyboard must be able to */}
      <section aria-label="Usage" className="sections-body" tabIndex={0}>
        <div className="sections-column usage-column">
          <div className="usage-choices">
            <Choice label="Of the last" value={span} choices={spans} onChoose={setSpan} />
            {maySeeAll && (
              <Choice
                label="Whose"
                value={whose}
                choices={[
                  { value: "own", label: "Your own" },
                  { value: "all", label: "Everybody's" },
                ]}
                onChoose={setWhose}
              />
            )}
            <Choice label="Bars show" value={measure} choices={measures} onChoose={setMeasure} />
          </div>
          {days.isPending && <p className="text-muted">Adding it up…</p>}
          {days.isError && (
            <div role="alert" className="form-failure">
              <Sentence text={remedyOf(days.error).detail} />
            </div>
          )}
          {days.data && <Report report={days.data} measure={measure} />}
          <Groups by="model" caption="By model" {...{ from, everybody, measure }} />
          <Groups by="key" caption="By API key" {...{ from, everybody, measure }} />
          {everybody && <Groups by="user" caption="By user" {...{ from, everybody, measure }} />}
        </div>
      </section>
    </main>
  );
}

interface ReportProps {
  report: UsageReport;
  measure: Measure;
}

/** All of it in a sentence, what has to be known beside it, and a bar for each day. */
function Report({ report, measure }: ReportProps) {
  const { total, from, to } = report;
  const shown = measures.find(({ value }) => value === measure)?.label;
  return (
    <>
      <p data-testid="usage-total">
        <strong>{costWords(total)}</strong> for {count(total.requests)} requests,{" "}
        {count(total.prompt_tokens)} tokens read and {count(total.completion_tokens)} written, from{" "}
        {from} to {to} (UTC).
      </p>
      {usageNotes(total, report.baseline).map((note) => (
        <p key={note} className="text-muted">
          {note}
        </p>
      ))}
      <DayChart
        days={everyDay(report.items, from, to)}
        measure={measure}
        label={`${shown} by day; the numbers are in the table below`}
      />
      <details>
        <summary>Every day as numbers</summary>
        <UsageTable by="day" caption="By day" items={report.items} measure={measure} />
      </details>
    </>
  );
}

interface GroupsProps {
  by: UsageBy;
  caption: string;
  from: string;
  everybody: boolean;
  measure: Measure;
}

function Groups({ by, caption, from, everybody, measure }: GroupsProps) {
  const query = useQuery(usageQuery(by, from, everybody));
  const items = query.data?.items ?? [];
  if (query.isError) {
    return (
      <div role="alert" className="form-failure">
        <Sentence text={remedyOf(query.error).detail} />
      </div>
    );
  }
  if (items.length === 0) return null;
  return <UsageTable by={by} caption={caption} items={items} measure={measure} />;
}
