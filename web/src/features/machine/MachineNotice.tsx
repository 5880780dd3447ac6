import { useQuery } from "@tanstack/react-query";
import { statusQuery } from "@/api/queries";
import type { Status } from "@/api/types";
import { splitCommand } from "@/lib/command";
import { modelName } from "@/lib/format";
import { nothingInstalled } from "@/lib/health";
import { CommandLine } from "@/ui/CommandLine";

/** What a person should know before asking: nobody can answer, or only the small starter model. */
export function MachineNotice() {
  const { data: status } = useQuery(statusQuery);
  if (!status) return null;
  if (nothingInstalled(status)) return <NoModel status={status} />;
  const answering = status.models.find((model) => model.id === status.default_model);
  if (!answering?.starter) return null;
  return <StarterModel name={modelName(answering.id)} status={status} />;
}

function NoModel({ status }: { status: Status }) {
  const help = splitCommand(status.no_model_help ?? "No model is installed.");
  return (
    <section aria-labelledby="no-model" className="notice" data-testid="no-model">
      <h2 id="no-model">No model yet</h2>
      <p>{help.sentence}</p>
      {help.command && <CommandLine command={help.command} />}
      <p>This page notices by itself when one is there.</p>
    </section>
  );
}

function StarterModel({ name, status }: { name: string; status: Status }) {
  const { suggestion } = status;
  return (
    <section aria-labelledby="starter" className="notice" data-testid="starter">
      <h2 id="starter">This is the starter model</h2>
      <p>
        {name} is very small, so that everything works at once. It writes fluently and is often
        wrong.
        {suggestion && (
          <>
            {" "}
            For real answers, add <strong>{suggestion.model}</strong>: it {suggestion.reason}.
          </>
        )}
      </p>
      {suggestion && <CommandLine command={suggestion.command} />}
    </section>
  );
}
