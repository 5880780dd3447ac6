import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useConnection } from "@/api/connection";
import { statusQuery } from "@/api/queries";
import type { Status, Upstream } from "@/api/types";
import { answers, healthNews, stateWord, troubled } from "@/lib/health";
import { announce } from "@/ui/announce";
import { Button } from "@/ui/Button";
import { Sentence } from "@/ui/Sentence";
import { StateIcon } from "./StateIcon";

/** Most servers that are spoken of one by one; the rest is a number and a button. */
const SHOWN = 2;

/**
 * Across the top of the page, only while a model server is not well: which one, how, and what to do.
 * With another one that answers it is a line; when nobody answers it says all there is to say.
 */
export function HealthStrip({ onOpen }: { onOpen: () => void }) {
  const { data: status } = useQuery(statusQuery);
  const away = useConnection((state) => state.down);
  useNews(status);
  const ill = troubled(status);
  if (!status || away || ill.length === 0) return null;
  const somebody = status.upstreams.some(answers);
  const shown = ill.slice(0, SHOWN);
  return (
    <section
      aria-label="Model servers"
      className="health-strip"
      data-tone={ill.every((upstream) => upstream.state === "loading") ? "calm" : "warn"}
      data-testid="health-strip"
    >
      <ul>
        {shown.map((upstream) => (
          <Trouble key={upstream.id} upstream={upstream} brief={somebody} />
        ))}
        {ill.length > SHOWN && <li className="text-muted">and {ill.length - SHOWN} more</li>}
      </ul>
      <div className="health-strip-side">
        {somebody && <span className="text-muted">{othersAnswer(status, ill)}</span>}
        <Button small onClick={onOpen} aria-haspopup="dialog">
          Details
        </Button>
      </div>
    </section>
  );
}

function Trouble({ upstream, brief }: { upstream: Upstream; brief: boolean }) {
  const { name, state, detail, fix, progress_percent: done } = upstream;
  return (
    <li data-state={state}>
      <StateIcon state={state} />
      <div className="min-w-0">
        <p>
          <strong>{name}</strong> <span className="state-word">{stateWord[state]}</span>{" "}
          <Sentence text={detail} />
        </p>
        {done != null && (
          <progress max={100} value={done} aria-label={`${name}, loading`} className="health-bar" />
        )}
        {!brief && fix && (
          <p className="text-muted">
            <Sentence text={fix} />
          </p>
        )}
      </div>
    </li>
  );
}

function othersAnswer(status: Status, ill: Upstream[]): string | null {
  const well = status.upstreams.filter((one) => answers(one) && !ill.includes(one));
  if (well.length === 0) return null;
  return well.length === 1 ? `${well[0]?.name} answers.` : `${well.length} others answer.`;
}

/** Spoken once for each change, never for each look. */
function useNews(status: Status | undefined): void {
  const before = useRef<Status>(undefined);
  useEffect(() => {
    if (!status) return;
    const news = healthNews(before.current, status);
    before.current = status;
    if (news) announce(news);
  }, [status]);
}
