import { useState } from "react";
import { updateCloud } from "@/api/providers";
import type { Cloud, CloudChange } from "@/api/types";
import { cloudName } from "@/lib/clouds";
import { useSubmission } from "@/lib/useSubmission";
import { announce } from "@/ui/announce";
import { Field, PasswordField } from "@/ui/Field";
import { Form } from "@/ui/Form";

interface ProviderFormProps {
  cloud: Cloud;
  onDone: () => void;
}

/** A cloud's key, where that is sent, and which of its models are offered. What the environment says is not asked for. */
export function ProviderForm({ cloud, onDone }: ProviderFormProps) {
  const name = cloudName(cloud.id);
  const keyIsOpen = cloud.key_set_by !== "environment";
  const urlIsOpen = keyIsOpen && cloud.base_url_set_by !== "environment";
  const kept = cloud.base_url_set_by === "page" ? cloud.base_url : "";
  const [key, setKey] = useState("");
  const [url, setUrl] = useState(kept);
  const [models, setModels] = useState((cloud.shown_models ?? []).join(", "));
  const submission = useSubmission(["key", "base_url", "shown_models"], async () => {
    await updateCloud(cloud.id, changeOf(cloud, { key, url, models }));
    announce(`Kept: ${name}`);
  });
  return (
    <Form
      label={`Set up ${name}`}
      submission={submission}
      onDone={onDone}
      action="Save"
      busy="Saving…"
    >
      {keyIsOpen ? (
        <PasswordField
          label="Key"
          name="key"
          autoComplete="off"
          value={key}
          onText={setKey}
          hint={
            cloud.last_four === null
              ? `From ${name}; kept sealed`
              : "Left empty, the key that is kept stays"
          }
          error={submission.errors.key}
        />
      ) : (
        <p className="field-hint">
          Its key comes from the environment. Change {cloud.key_variable} there.
        </p>
      )}
      {urlIsOpen && (
        <Field
          label="Address"
          type="url"
          name="base_url"
          autoComplete="off"
          placeholder={cloud.base_url}
          value={url}
          onText={setUrl}
          hint="Only for a gateway of yours: public https. A new address needs the key again"
          error={submission.errors.base_url}
        />
      )}
      <Field
        label="Models to offer"
        name="shown_models"
        autoComplete="off"
        value={models}
        onText={setModels}
        hint="Names with commas between them; left empty, all of them"
        error={submission.errors.shown_models}
      />
    </Form>
  );
}

interface Typed {
  key: string;
  url: string;
  models: string;
}

/** Only what was changed is sent: what stays may be locked. */
export function changeOf(cloud: Cloud, { key, url, models }: Typed): CloudChange {
  const kept = cloud.base_url_set_by === "page" ? cloud.base_url : "";
  const shown = models.split(",").flatMap((model) => model.trim() || []);
  const before = cloud.shown_models ?? [];
  return {
    ...(key.trim() === "" ? {} : { key: key.trim() }),
    ...(url.trim() === kept ? {} : { base_url: url.trim() === "" ? null : url.trim() }),
    ...(shown.join() === before.join() ? {} : { shown_models: shown.length === 0 ? null : shown }),
  };
}
