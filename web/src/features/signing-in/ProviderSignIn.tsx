import { useState } from "react";
import { signInAt } from "@/api/identities";
import { troubleElsewhere } from "@/lib/elsewhere";
import { remedyOf } from "@/lib/problems";
import { useReturned } from "@/lib/useReturned";
import { Button } from "@/ui/Button";
import type { WayProps } from "./ways";

/** One button for each provider. The browser goes there and comes back; what went wrong on the way stands below. */
export default function ProviderSignIn({ state }: WayProps) {
  const returned = useReturned();
  const [trouble, setTrouble] = useState(() => troubleElsewhere(returned));
  const [leaving, setLeaving] = useState<string | null>(null);

  async function go(provider: string) {
    setTrouble(null);
    setLeaving(provider);
    try {
      await signInAt(provider);
    } catch (error) {
      setLeaving(null);
      setTrouble(remedyOf(error).detail);
    }
  }

  return (
    <section aria-label="Sign in elsewhere" className="form">
      {state.providers.map(({ id, name }) => (
        <Button key={id} className="w-full" disabled={leaving !== null} onClick={() => go(id)}>
          {leaving === id ? `Going to ${name}…` : `Continue with ${name}`}
        </Button>
      ))}
      <div role="alert" className="form-failure">
        {trouble}
      </div>
    </section>
  );
}
