import type { UsageBy, UsageItem } from "@/api/types";
import { costWords, count, groupName, heights, type Measure, measured } from "@/lib/usage";

interface UsageTableProps {
  by: UsageBy;
  caption: string;
  items: UsageItem[];
  measure: Measure;
}

/** What each model, key or user used: a bar to see who most, and every number. */
export function UsageTable({ by, caption, items, measure }: UsageTableProps) {
  const shares = heights(items.map((item) => measured(item, measure)));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and a keyboard must be able to
    <section className="usage-scroll" aria-label={caption} tabIndex={0}>
      <table className="usage-table">
        <caption>{caption}</caption>
        <thead>
          <tr>
            <th scope="col">{headings[by]}</th>
            <th scope="col">
              <span className="sr-only">Share</span>
            </th>
            <th scope="col">Requests</th>
            <th scope="col">Read</th>
            <th scope="col">Written</th>
            <th scope="col">Cost</th>
            <th scope="col">Estimated</th>
          </tr>
        </thead>
        <tbody>
          {items.map((item, index) => (
            <tr key={item.id}>
              <th scope="row">{groupName(by, item)}</th>
              <td>
                <svg viewBox="0 0 100 10" className="usage-share" aria-hidden="true">
                  <rect width={(shares[index] ?? 0) * 100} height={10} className="usage-bar" />
                </svg>
              </td>
              <td>{count(item.requests)}</td>
              <td title={`${count(item.cached_tokens)} of them from a cache`}>
                {count(item.prompt_tokens)}
              </td>
              <td title={`${count(item.reasoning_tokens)} of them reasoning`}>
                {count(item.completion_tokens)}
              </td>
              <td>{costWords(item)}</td>
              <td>{count(item.estimated)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const headings: Record<UsageBy, string> = {
  day: "Day",
  model: "Model",
  key: "API key",
  user: "User",
};
