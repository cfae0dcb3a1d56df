// How a group of failures is called.
export function groupTitle(group) {
    if (!group.law) {
        return group.message ?? group.verdict;
    }
    return `${group.law}: ${group.what ?? ""}${group.evidence ? `, at ${group.evidence}` : ""}`;
}
