import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import "./page.css";

import { explorerPlugin } from "@graphiql/plugin-explorer";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { createRoot } from "react-dom/client";

import { renewTokens } from "./tokens.js";

const element = document.getElementById("graphiql");
const config = JSON.parse(element.dataset.config);

const subscriptionUrl = new URL(config.subscriptionUrl, location.href);
subscriptionUrl.protocol = location.protocol.replace("http", "ws");

renewTokens(config.tabs);
const tabs = config.tabs.map(({ query, token }) => ({
  query,
  headers: JSON.stringify({ Authorization: `Bearer ${token}` }, null, 2),
}));

createRoot(element).render(
  <GraphiQL
    fetcher={createGraphiQLFetcher({
      url: config.url,
      subscriptionUrl: subscriptionUrl.href,
      enableIncrementalDelivery: false,
    })}
    defaultTabs={tabs}
    defaultQuery={tabs[0].query}
    defaultHeaders={tabs[0].headers}
    defaultEditorToolsVisibility="headers"
    inputValueDeprecation
    shouldPersistHeaders
    plugins={[HISTORY_PLUGIN, explorerPlugin()]}
  />,
);
