import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { costsQuery } from "@/api/costs";
import type { CostItem, CostReport } from "@/api/types";
import {
  bars,
  evidenceWords,
  forecastWords,
  hostsWords,
  money,
  monthsBack,
  providersWords,
  totalWords,
} from "@/lib/costs";
import { modelName, providerName } from "@/lib/format";
import { remedyOf } from "@/lib/problems";
import { count } from "@/lib/usage";
import { Choice } from "@/ui/Field";
import { Sentence } from "@/ui/Sentence";
import { CostChart } from "./CostChart";

/** What a month costs: hosts, providers, what local answers would have; where it is going, and what could cost less. */
export default function CostsSection() {
  const months = monthsBack(Date.now(), 12);
  const [month, setMonth] = useState(months[0] ?? "");
  const query = useQuery(costsQuery(month));
  return (
    <>
      <Choice
        label="Month (UTC)"
        value={month}
        choices={months.map((value) => ({ value, label: value }))}
        onChoose={setMonth}
      />
      {query.isPending && <p className="text-muted">Adding it up…</p>}
      {query.isError && (
        <div role="alert" className="form-failure">
          <Sentence text={remedyOf(query.error).detail} />
        </div>
      )}
      {query.data && <Report report={query.data} />}
    </>
  );
}

function Report({ report }: { report: CostReport }) {
  const { providers, baseline, forecast } = report;
  return (
    <>
      <p data-testid="costs-total">
        <strong>{totalWords(report)}</strong>
        {forecast.state === "over" ? "" : " so far"}: hosts {hostsWords(report.fixed_usd, report)},
        providers {providersWords(providers, report)} for {count(providers.requests)} requests.
      </p>
      {baseline && providers.local > 0 && (
        <p className="text-muted">
          {count(providers.local)} answers of your machines would have cost{" "}
          {money(providers.would_have_cost_usd, report)} at {baseline}.
        </p>
      )}
      <p data-testid="costs-forecast">{forecastWords(report)}</p>
      {forecast.state === "ready" && <p className="text-muted">{forecast.method}</p>}
      <h3>By day</h3>
      <CostChart
        bars={bars(report.days, report)}
        label="Hosts and providers by day; the numbers are in the table below"
      />
      <details>
        <summary>Every day as numbers</summary>
        <CostTable caption="By day" first="Day" items={report.days} report={report} hosts />
      </details>
      {report.months.length > 1 && (
        <>
          <h3>By month</h3>
          <CostChart
            bars={bars(report.months, report)}
            label="Hosts and providers by month, with the forecast as an outline; the numbers are in the table below"
          />
        </>
      )}
      <CostTable caption="By month" first="Month" items={report.months} report={report} hosts />
      <CostTable caption="By model" first="Model" items={report.models} report={report} />
      <CostTable caption="By user" first="User" items={report.users} report={report} />
      <Hosts report={report} />
      <Findings report={report} />
    </>
  );
}

function nameOf(item: CostItem, first: string): string {
  if (first === "Model") {
    return item.id === ""
      ? "No model answered"
      : `${modelName(item.id)} (${providerName(item.id)})`;
  }
  return item.name ?? item.id;
}

interface CostTableProps {
  caption: string;
  /** Heading of the first column. */
  first: string;
  items: CostItem[];
  report: CostReport;
  /** With what hosts cost meanwhile. */
  hosts?: boolean;
}

function CostTable({ caption, first, items, report, hosts = false }: CostTableProps) {
  if (items.length === 0) return null;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and a keyboard must be able to
    <section className="usage-scroll" aria-label={caption} tabIndex={0}>
      <table className="usage-table">
        <caption>{caption}</caption>
        <thead>
          <tr>
            <th scope="col">{first}</th>
            <th scope="col">Requests</th>
            {hosts && <th scope="col">Hosts</th>}
            <th scope="col">Providers</th>
            <th scope="col">Local would have cost</th>
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={item.id}>
              <th scope="row">{nameOf(item, first)}</th>
              <td>{count(item.requests)}</td>
              {hosts && <td>{hostsWords(item.fixed_usd, report)}</td>}
              <td>{providersWords(item, report)}</td>
              <td>{item.local > 0 ? money(item.would_have_cost_usd, report) : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Hosts({ report }: { report: CostReport }) {
  if (report.fixed.length === 0) return null;
  return (
    <>
      <h3>Hosts, in a month</h3>
      <ul className="rows" aria-label="Hosts">
        {report.fixed.map((host) => (
          <li key={host.name}>
            <div className="row-text">
              <p>
                <strong>{host.name}</strong>:{" "}
                {host.monthly_usd == null ? "unknown" : money(host.monthly_usd, report)}
              </p>
              <p className="row-more">
                <span>{host.note}</span>
                {host.assumed && <span>assumed: set `costs.hosts` to what you pay</span>}
              </p>
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}

function Findings({ report }: { report: CostReport }) {
  return (
    <>
      <h3>What could cost less, or is not known</h3>
      {report.findings.length === 0 && <p className="text-muted">Nothing was found.</p>}
      <ul className="rows" aria-label="Findings">
        {report.findings.map((finding) => (
          <li key={`${finding.kind} ${finding.found}`}>
            <div className="row-text">
              <p>
                <strong>
                  <Sentence text={finding.found} />
                </strong>
              </p>
              <p>
                <Sentence text={finding.fix} />
                {finding.saves_usd != null &&
                  ` Saves ${money(finding.saves_usd, report)} a month at most.`}
              </p>
              <p className="row-more">
                {finding.evidence.map((evidence) => (
                  <span key={evidence.name}>{evidenceWords(evidence, report)}</span>
                ))}
              </p>
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}
