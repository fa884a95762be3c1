import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';

const root = document.getElementById('root');
if (root)
  createRoot(root).render(
    <StrictMode>
      {/* Kong, or `bun run dev`. */}
      <App url="http://localhost:3000" />
    </StrictMode>,
  );
