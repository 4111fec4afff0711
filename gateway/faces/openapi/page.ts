/** A document that a plane shows, by its file's name. */
export interface ShownDocument {
  readonly file: string;
  readonly title: string;
}

/**
 * The page at `/docs/`. It runs no script but its own address's.
 *
 * @param documents the first is the plane's own, and can be tried out
 */
export function docsPage(documents: readonly ShownDocument[]): string {
  const [own] = documents;
  const links = documents.map(
    ({ file, title }, index) => `<a href="./${index === 0 ? '' : `?document=${file}`}">${title}</a>`,
  );
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Signalbox: ${own?.title ?? ''}</title>
    <link rel="icon" href="./favicon-32x32.png" type="image/png">
    <link rel="stylesheet" href="./swagger-ui.css">
    <link rel="stylesheet" href="./docs.css">
  </head>
  <body data-documents="${documents.map(({ file }) => file).join(' ')}">
    <nav>${links.join(' ')} ${documents.map(({ file }) => `<a href="./${file}">${file}</a>`).join(' ')}</nav>
    <main id="operations"></main>
    <script src="./swagger-ui-bundle.js"></script>
    <script src="./docs.js"></script>
  </body>
</html>
`;
}

/** Shows the document that the page's address names. Another plane's can be read here and not be called: it answers elsewhere. */
export const DOCS_SCRIPT = `const [own, ...others] = document.body.dataset.documents.split(' ');
const named = new URLSearchParams(location.search).get('document');
const shown = others.includes(named) ? named : own;
SwaggerUIBundle({
  dom_id: '#operations',
  url: './' + shown,
  deepLinking: true,
  validatorUrl: null,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  ...(shown !== own && { supportedSubmitMethods: [] }),
});
`;

export const DOCS_STYLE = `body { margin: 0; background: #fff; }
nav { display: flex; gap: 1.5rem; padding: 1rem 1.5rem; border-bottom: 1px solid #ddd; font: 14px/1.4 system-ui, sans-serif; }
nav a { color: #1a56b0; }
`;
