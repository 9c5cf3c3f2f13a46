"""Where every version of a project stands: one model, shown as text, as JSON, as Markdown and as a page."""
