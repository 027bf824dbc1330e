for (const button of document.querySelectorAll("figure button")) {
  const commands = button.closest("figure").querySelector("pre");
  button.hidden = false;
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(commands);
    try {
      await navigator.clipboard.writeText(commands.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy" }, 2000);
  });
}
// A link may lead to a behaviour within a closed theme.
const open = () => document.getElementById(decodeURIComponent(location.hash.slice(1)))?.closest("details")?.setAttribute("open", "");
addEventListener("hashchange", open);
open();
