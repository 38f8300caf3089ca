import { defineConfig } from "vite";

export default defineConfig({
  base: "/ide/",
  build: {
    outDir: "../graphql_api/static/ide",
    emptyOutDir: true,
    // An asset inlined as a data: URI would need a wider CSP than the server sends.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4000,
    // "use client" marks in the dependencies mean nothing outside a server renderer.
    rolldownOptions: { checks: { moduleLevelDirective: false } },
  },
});
