/** The goblin. Its eyes blink while an answer is being written. */
export function GoblinMark({ size = 28, busy = false }: { size?: number; busy?: boolean }) {
  return (
    <svg
      viewBox="0 0 32 26"
      width={size}
      height={(size * 26) / 32}
      aria-hidden="true"
      className={busy ? "goblin-mark goblin-busy" : "goblin-mark"}
    >
      <path
        className="goblin-skin"
        d="M.5 4.5c4.2.1 7.5 1.3 9.7 3.3A9.8 9.8 0 0 1 16 6c2.2 0 4.2.6 5.8 1.8 2.2-2 5.5-3.2 9.7-3.3-.5 5-2.6 8.3-5.9 10C25 20.2 21 24.5 16 24.5S7 20.2 6.4 14.5C3.1 12.8 1 9.5.5 4.5Z"
      />
      <path
        className="goblin-ear"
        d="M3.5 6.8c2.3.4 4 1.3 5.1 2.5-.9 1-1.6 2.2-2 3.5-1.6-1.3-2.7-3.3-3.1-6ZM28.5 6.8c-2.3.4-4 1.3-5.1 2.5.9 1 1.6 2.2 2 3.5 1.6-1.3 2.7-3.3 3.1-6Z"
      />
      <g className="goblin-eyes">
        <circle cx="12.2" cy="13.4" r="2.5" />
        <circle cx="19.8" cy="13.4" r="2.5" />
        <circle className="goblin-pupil" cx="12.6" cy="13.6" r="1.1" />
        <circle className="goblin-pupil" cx="19.4" cy="13.6" r="1.1" />
      </g>
      <path className="goblin-mouth" d="M11.9 19c2.7 1.5 5.5 1.5 8.2 0" />
      <path className="goblin-tooth" d="m13.3 19.6.9 2.2 1-1.8Z" />
    </svg>
  );
}
