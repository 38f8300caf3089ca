const REMEMBERED = "graphql-api:demo-tokens";

// GraphiQL keeps tabs, headers and history in localStorage, where a demo token outlives its expiry:
// whatever was stored with the last page's token gets this page's.
export function renewTokens(tabs) {
  const stale = JSON.parse(localStorage.getItem(REMEMBERED) ?? "{}");
  const current = Object.fromEntries(tabs.map(({ name, token }) => [name, token]));
  const stored = Object.keys(localStorage).filter((key) => key.startsWith("graphiql:"));
  for (const [name, token] of Object.entries(stale)) {
    if (!current[name]) continue;
    for (const key of stored) {
      localStorage.setItem(key, localStorage.getItem(key).replaceAll(token, current[name]));
    }
  }
  localStorage.setItem(REMEMBERED, JSON.stringify(current));
}
