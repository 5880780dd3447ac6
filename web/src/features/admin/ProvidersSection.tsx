import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { cloudsQuery, forgetCloud, testCloud, updateCloud } from "@/api/providers";
import type { Cloud, CloudTest } from "@/api/types";
import { cloudName, cloudWords, keyWords, testWords } from "@/lib/clouds";
import { dateAndTime } from "@/lib/people";
import { remedyOf } from "@/lib/problems";
import { announce } from "@/ui/announce";
import { Button } from "@/ui/Button";
import { Confirm } from "@/ui/Confirm";
import { Sentence } from "@/ui/Sentence";
import { StateDot } from "@/ui/StateDot";
import { showToast } from "@/ui/toasts";
import { ProviderForm } from "./ProviderForm";

/** The clouds: which have a key, how they are, and what can be set about them. */
export default function ProvidersSection() {
  const client = useQueryClient();
  const query = useQuery(cloudsQuery);
  const [open, setOpen] = useState<string | null>(null);
  const [forgetting, setForgetting] = useState<Cloud | null>(null);
  const clouds = query.data ?? [];

  const reload = () =>
    Promise.all([
      client.invalidateQueries({ queryKey: cloudsQuery.queryKey }),
      client.invalidateQueries({ queryKey: ["status"] }),
    ]);

  async function forget(cloud: Cloud) {
    await forgetCloud(cloud.id);
    announce(`Forgotten: the key of ${cloudName(cloud.id)}`);
    await reload();
  }

  return (
    <>
      <p className="text-muted">
        What a cloud is asked leaves your machines. Its key is kept sealed and never shown again; a
        cloud without one is never asked.
      </p>
      {query.isPending && <p className="text-muted">Asking the providers…</p>}
      {query.isError && (
        <div role="alert" className="form-failure">
          <Sentence text={remedyOf(query.error).detail} />
        </div>
      )}
      <ul className="rows" aria-label="Providers">
        {clouds.map((cloud) => (
          <ProviderRow
            key={cloud.id}
            cloud={cloud}
            isOpen={open === cloud.id}
            onOpen={() => setOpen(open === cloud.id ? null : cloud.id)}
            onForget={() => setForgetting(cloud)}
            onChanged={reload}
          />
        ))}
      </ul>
      {forgetting && (
        <Confirm
          title={`Forget the key of ${cloudName(forgetting.id)}?`}
          action="Forget the key"
          onClose={() => setForgetting(null)}
          onConfirm={() => forget(forgetting)}
        >
          <p>
            Its address and models go back to what the configuration says. Without another key it is
            asked no more.
          </p>
        </Confirm>
      )}
    </>
  );
}

interface ProviderRowProps {
  cloud: Cloud;
  isOpen: boolean;
  onOpen: () => void;
  onForget: () => void;
  onChanged: () => Promise<unknown>;
}

function ProviderRow({ cloud, isOpen, onOpen, onForget, onChanged }: ProviderRowProps) {
  const name = cloudName(cloud.id);
  const [testing, setTesting] = useState(false);
  const [tested, setTested] = useState<CloudTest | null>(null);
  const health = cloudWords[tested?.health ?? cloud.health];
  const advice = tested ? tested.advice : cloud.advice;
  const turning = cloud.enabled ? "Switch off" : "Switch on";

  async function test() {
    setTesting(true);
    try {
      const found = await testCloud(cloud.id);
      setTested(found);
      announce(testWords(name, found.health, found.models));
    } catch (error) {
      showToast({ text: `Not tested. ${remedyOf(error).detail}`, milliseconds: 8000 });
    }
    setTesting(false);
  }

  async function changed() {
    setTested(null);
    await onChanged();
  }

  async function turn() {
    try {
      await updateCloud(cloud.id, { enabled: !cloud.enabled });
      announce(`${name} is ${cloud.enabled ? "off" : "on"}`);
      await changed();
    } catch (error) {
      showToast({ text: `Not changed. ${remedyOf(error).detail}`, milliseconds: 8000 });
    }
  }

  return (
    <li data-provider={cloud.id}>
      <StateDot state={health.dot} />
      <div className="row-text">
        <p>
          <strong>{name}</strong> <span className="text-muted">{health.word}</span>
        </p>
        <p className="row-more">
          <span title={cloud.key_updated_at ? dateAndTime(cloud.key_updated_at) : undefined}>
            {keyWords(cloud)}
          </span>
          <span>{cloud.base_url}</span>
        </p>
        {advice && <p className="row-more">{advice}</p>}
        {tested && (
          <p className="row-more">
            {testWords(name, tested.health, tested.models)} It took {tested.took_ms} ms.
          </p>
        )}
      </div>
      <div className="row-side">
        {cloud.key_set_by && (
          <Button small aria-label={`Test ${name}`} disabled={testing} onClick={test}>
            Test
          </Button>
        )}
        {cloud.key_set_by && (
          <Button small aria-label={`${turning} ${name}`} onClick={turn}>
            {turning}
          </Button>
        )}
        <Button
          small
          aria-label={cloud.key_set_by ? `Set up ${name}` : `Add a key for ${name}`}
          aria-expanded={isOpen}
          onClick={onOpen}
        >
          {cloud.key_set_by ? "Set up" : "Add a key"}
        </Button>
      </div>
      {isOpen && (
        <div className="w-full">
          <ProviderForm
            cloud={cloud}
            onDone={() => {
              onOpen();
              changed();
            }}
          />
          {cloud.last_four !== null && (
            <Button small aria-label={`Forget the key of ${name}`} onClick={onForget}>
              Forget the key
            </Button>
          )}
        </div>
      )}
    </li>
  );
}
