import { Button } from "@/ui/Button";
import { Entrance } from "./Entrance";

/** Nobody owns this server yet, and only who sees the program's output can change that. */
export default function NoOwnerPage() {
  return (
    <Entrance
      title="Nobody owns this server yet"
      lead="Open the set-up link that the program printed when it started. Where nobody watched, it is in the file first-link of its data directory."
    >
      <Button onClick={() => window.location.reload()}>Look again</Button>
    </Entrance>
  );
}
