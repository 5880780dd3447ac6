import { useAnnouncement } from "./announce";

export function Announcer() {
  const { text, count } = useAnnouncement();
  // The key makes the same sentence twice in a row two changes, so it is read twice.
  return (
    <div className="sr-only" role="status" aria-live="polite" data-testid="announcer">
      <span key={count}>{text}</span>
    </div>
  );
}
