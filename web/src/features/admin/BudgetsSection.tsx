import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Budget, BudgetKind, NewBudget } from "@/api/types";
import { budgetsQuery, removeBudget, setBudget } from "@/api/usage";
import { problemsOf } from "@/lib/credentials";
import { dateAndTime } from "@/lib/people";
import { remedyOf } from "@/lib/problems";
import { budgetName, budgetWords } from "@/lib/usage";
import { useSubmission } from "@/lib/useSubmission";
import { announce } from "@/ui/announce";
import { Button } from "@/ui/Button";
import { Confirm } from "@/ui/Confirm";
import { Choice, Field } from "@/ui/Field";
import { Form } from "@/ui/Form";
import { Sentence } from "@/ui/Sentence";

/** What may be spent: by whom, in a day or a month, and what happens then. */
export default function BudgetsSection() {
  const client = useQueryClient();
  const query = useQuery(budgetsQuery);
  const [removing, setRemoving] = useState<Budget | null>(null);
  const budgets = query.data ?? [];
  const reload = () => client.invalidateQueries({ queryKey: budgetsQuery.queryKey });

  async function remove(budget: Budget) {
    if (budget.id) await removeBudget(budget.id);
    announce(`Removed: ${budgetName(budget)}`);
    await reload();
  }

  return (
    <>
      <p className="text-muted">
        Before a model elsewhere is asked, the most it may cost is reserved; when there is no room
        for that, the request is refused, or a local model answers. Days and months are those of
        UTC.
      </p>
      <BudgetForm onSet={reload} />
      <h3>Budgets</h3>
      {query.isError && (
        <div role="alert" className="form-failure">
          <Sentence text={remedyOf(query.error).detail} />
        </div>
      )}
      {query.isSuccess && budgets.length === 0 && (
        <p className="text-muted">There is none: nothing bounds what is spent.</p>
      )}
      <ul className="rows" aria-label="Budgets">
        {budgets.map((budget) => (
          <li key={`${budget.id} ${budget.kind} ${budget.subject} ${budget.period}`}>
            <div className="row-text">
              <p>
                <strong>{budgetName(budget)}</strong>
              </p>
              <p className="row-more">
                {budgetWords(budget).map((words) => (
                  <span key={words}>{words}</span>
                ))}
                {budget.begins_anew && <span>begins anew {dateAndTime(budget.begins_anew)}</span>}
              </p>
            </div>
            {budget.id && (
              <Button
                small
                aria-label={`Remove the budget: ${budgetName(budget)}, ${budget.period}`}
                onClick={() => setRemoving(budget)}
              >
                Remove
              </Button>
            )}
          </li>
        ))}
      </ul>
      {removing && (
        <Confirm
          title={`Remove the budget: ${budgetName(removing)}?`}
          action="Remove"
          onClose={() => setRemoving(null)}
          onConfirm={() => remove(removing)}
        >
          <p>From then on it bounds nothing. What was spent stays counted.</p>
        </Confirm>
      )}
    </>
  );
}

const kinds: { value: BudgetKind; label: string }[] = [
  { value: "everybody", label: "Everybody together" },
  { value: "user", label: "Users" },
  { value: "team", label: "Teams" },
  { value: "key", label: "API keys" },
  { value: "model", label: "A model" },
];

function BudgetForm({ onSet }: { onSet: () => void }) {
  const [kind, setKind] = useState<BudgetKind>("everybody");
  const [subject, setSubject] = useState("*");
  const [usd, setUsd] = useState("");
  const [period, setPeriod] = useState<"day" | "month">("month");
  const [onReached, setOnReached] = useState<"refuse" | "local">("refuse");
  const submission = useSubmission(["subject", "usd"], async () => {
    const body: NewBudget = { kind, usd: Number(usd), period, on_reached: onReached };
    if (kind !== "everybody") body.subject = subject.trim();
    const budget = await setBudget(body);
    announce(`Set: ${budgetName(budget)}`);
    setUsd("");
    onSet();
  });
  return (
    <Form
      label="Set a budget"
      submission={submission}
      check={() =>
        problemsOf({
          usd: Number(usd) > 0 ? undefined : "A number of US dollars above 0.",
          subject: kind === "everybody" || subject.trim() !== "" ? undefined : "Whose is it?",
        })
      }
      action="Set the budget"
      busy="Setting it…"
    >
      <Choice label="Whose spending" value={kind} choices={kinds} onChoose={setKind} />
      {kind !== "everybody" && (
        <Field
          label={kind === "model" ? "Which model" : "Which"}
          name="subject"
          autoComplete="off"
          value={subject}
          onText={setSubject}
          hint={
            kind === "model"
              ? "provider/model; * at the end stands for any rest"
              : "An id, or * for each on its own"
          }
          error={submission.errors.subject}
        />
      )}
      <Field
        label="US dollars"
        name="usd"
        inputMode="decimal"
        autoComplete="off"
        value={usd}
        onText={setUsd}
        error={submission.errors.usd}
      />
      <Choice
        label="In each"
        value={period}
        choices={[
          { value: "month", label: "Month" },
          { value: "day", label: "Day" },
        ]}
        onChoose={setPeriod}
      />
      <Choice
        label="Without room for a request"
        value={onReached}
        choices={[
          { value: "refuse", label: "It is refused" },
          { value: "local", label: "A local model answers" },
        ]}
        onChoose={setOnReached}
      />
    </Form>
  );
}
