// The route table of Vercel's Build Output API, version 3, as its documentation describes it
// (https://vercel.com/docs/build-output-api/configuration#routes): which headers a path is given, and whether it is a
// file, a status, or something another server answers. No I/O.

const REWRITES = 10;

/** Does the route apply, and what did its groups catch? Paths are compared whole, as Vercel does. */
function match(route, path, method) {
  if (route.methods && !route.methods.includes(method)) return null;
  if (route.has || route.missing)
    throw new Error(`has and missing are not known here: ${route.src}`);
  const flags = route.caseSensitive ? "" : "i";
  return new RegExp(route.src, flags).exec(path);
}

/** `$1` and `$name` are what the groups caught. */
function filled(text, caught) {
  return text.replace(/\$(\d+|[a-zA-Z_]\w*)/g, (_, name) => {
    const found = /^\d+$/.test(name) ? caught[Number(name)] : caught.groups?.[name];
    return found ?? "";
  });
}

function applyTransforms(answer, route, env) {
  for (const { type, op, target, args, env: names = [] } of route.transforms ?? []) {
    if (type !== "request.headers" || op !== "set")
      throw new Error(`unknown transform ${type} ${op}`);
    const value = names.reduce((text, name) => text.replaceAll(`$${name}`, env[name] ?? ""), args);
    answer.request[target.key] = value;
  }
}

/** The parts of a table: what is before `handle: filesystem`, and what is after each `handle`. */
function phases(routes) {
  const found = { null: [] };
  let phase = null;
  for (const route of routes) {
    if (route.handle) {
      phase = route.handle;
      found[phase] = [];
    } else {
      found[phase].push(route);
    }
  }
  return found;
}

/**
 * What is answered to `path`: `{file}` (a path below `static`), `{proxy}` (an address) or `{status}`, each with
 * `response` headers, and `request` headers for the server behind. `isFile(path)` says whether there is such a file.
 */
export function resolve(config, path, { method = "GET", isFile, env = {} }) {
  const table = phases(config.routes);
  const answer = { response: {}, request: {} };
  let now = path;

  const file = () =>
    [now, now.endsWith("/") ? `${now}index.html` : null].find((at) => at && isFile(at));
  const hit = (at) => {
    for (const route of table.hit ?? []) {
      if (match(route, now, method)) Object.assign(answer.response, route.headers);
    }
    return { ...answer, file: at, status: answer.status ?? 200 };
  };

  /** The first route that ends it: a result, `"again"` when the path is another now, or nothing. */
  const walk = (routes) => {
    for (const route of routes ?? []) {
      const caught = match(route, now, method);
      if (!caught) continue;
      for (const [key, value] of Object.entries(route.headers ?? {})) {
        answer.response[key.toLowerCase()] = filled(value, caught);
      }
      applyTransforms(answer, route, env);
      const dest = route.dest && filled(route.dest, caught);
      if (dest && /^https?:/.test(dest)) return { ...answer, proxy: dest };
      if (dest) now = dest;
      if (route.status) answer.status = route.status;
      if (route.continue) continue;
      if (route.status && !dest) return { ...answer };
      if (dest && route.check) return "again";
      if (dest) return file() ? hit(file()) : "miss";
    }
    return null;
  };

  let first = walk(table.null);
  for (let n = 0; n < REWRITES; n += 1) {
    if (first && typeof first === "object") return first;
    const at = file();
    if (at) return hit(at);
    first = walk(table.filesystem) ?? walk(table.rewrite) ?? walk(table.miss);
    if (first === null || first === "miss") break;
  }
  if (first && typeof first === "object") return first;
  answer.status = 404;
  for (const route of table.error ?? []) {
    if (route.status === 404 && match(route, now, method) && route.dest) now = route.dest;
  }
  return { ...answer, status: 404 };
}
