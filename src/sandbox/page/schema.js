// The attributes of card objects. Feishu refuses a card with an undocumented attribute, so the
// page shows such an attribute as an error instead of skipping it.

const BOX = "direction padding horizontal_spacing vertical_spacing horizontal_align vertical_align";
const CONTROL = "tag element_id margin name required disabled width behaviors confirm placeholder";
const TEXT = "tag element_id content i18n_content";

const ATTRIBUTES = {
  card: "schema config card_link header body",
  config:
    "streaming_mode streaming_config summary locales enable_forward update_multi width_mode " +
    "use_custom_translation enable_forward_interaction style",
  card_link: "url pc_url ios_url android_url",
  header: "title subtitle text_tag_list i18n_text_tag_list template icon padding",
  body: `${BOX} elements`,
  text_tag: "tag element_id text color",
  plain_text: TEXT,
  text: TEXT,
  styled_text: `${TEXT} text_size text_color text_align lines`,
  icon: "tag token color img_key i18n_img_key size",
  confirm: "title text",
  multi_url: "url pc_url ios_url android_url",
  jump: "multi_url",
  callback: "type value",
  open_url: "type default_url pc_url ios_url android_url",
  column_set:
    "tag element_id margin horizontal_spacing horizontal_align flex_mode background_style action columns",
  column: `tag element_id margin ${BOX} background_style width weight action elements`,
  form: `tag element_id margin ${BOX} name elements`,
  interactive_container:
    `tag element_id margin ${BOX} width height background_style has_border border_color ` +
    "corner_radius behaviors hover_tips disabled disabled_tips confirm elements",
  collapsible_panel: `tag element_id margin ${BOX} expanded background_color header border elements`,
  panel_header:
    "title background_color width vertical_align padding position icon icon_position icon_expanded_angle",
  border: "color corner_radius",
  div: "tag element_id margin width text icon",
  markdown: "tag element_id margin content i18n_content text_size text_align icon",
  img:
    "tag element_id margin img_key i18n_img_key alt title corner_radius scale_type size transparent " +
    "preview mode custom_width compact_width",
  img_combination:
    "tag element_id margin combination_mode combination_transparent corner_radius img_list",
  person: "tag element_id margin size user_id show_avatar show_name style",
  person_list:
    "tag element_id margin drop_invalid_user_id lines show_name show_avatar size persons icon ud_icon",
  chart: "tag element_id margin aspect_ratio color_theme chart_spec preview height",
  table:
    "tag element_id margin page_size row_height row_max_height freeze_first_column header_style columns rows",
  table_header: "text_align text_size background_style text_color bold lines",
  table_column:
    "name display_name width vertical_align horizontal_align data_type format date_format",
  table_format: "precision symbol separator",
  hr: "tag element_id margin",
  audio:
    "tag element_id margin file_key i18n_file_key audio_id disabled disabled_tips show_progress_bar " +
    "show_time time_display time_position border style padding background_style fill_color width fallback",
  button:
    "tag element_id margin type size width text icon hover_tips disabled disabled_tips confirm " +
    "behaviors name form_action_type action_type",
  input:
    `${CONTROL} default_value i18n_default_value disabled_tips max_length input_type rows ` +
    "auto_resize max_rows show_icon label label_position value",
  overflow: "tag element_id margin name width options behaviors confirm",
  overflow_option: "text multi_url value",
  select_static: `${CONTROL} type initial_option initial_index options`,
  multi_select_static: `${CONTROL} type selected_values options`,
  select_person: `${CONTROL} type initial_option options`,
  multi_select_person: `${CONTROL} type selected_values options`,
  option: "text icon value",
  person_option: "value",
  date_picker: `${CONTROL} value initial_date`,
  picker_time: `${CONTROL} value initial_time`,
  picker_datetime: `${CONTROL} value initial_datetime`,
  select_img:
    "tag element_id margin multi_select layout name required can_preview aspect_ratio disabled " +
    "disabled_tips value options behaviors confirm",
  img_option: "img_key i18n_img_key value disabled disabled_tips hover_tips",
  checker:
    "tag element_id margin name checked text overall_checkable button_area checked_style padding " +
    "confirm behaviors hover_tips disabled disabled_tips",
  button_area: "pc_display_rule buttons",
  checked_style: "show_strikethrough opacity",
};

const SETS = Object.fromEntries(
  Object.entries(ATTRIBUTES).map(([kind, names]) => [kind, new Set(names.split(" "))]),
);

/** The members of `object` that a `kind` does not know. */
export function unknownAttributes(kind, object) {
  if (object === null || typeof object !== "object" || Array.isArray(object)) return [];
  return Object.keys(object).filter((name) => !SETS[kind].has(name));
}

/** Whether a component of this tag is allowed among elements. */
export function isComponent(tag) {
  return COMPONENTS.has(tag);
}

const COMPONENTS = new Set([
  "column_set", "form", "interactive_container", "collapsible_panel", "div", "markdown", "img",
  "img_combination", "person", "person_list", "chart", "table", "hr", "audio", "input", "button",
  "overflow", "select_static", "multi_select_static", "select_person", "multi_select_person",
  "date_picker", "picker_time", "picker_datetime", "select_img", "checker",
]);

// The parts of each component that hold attributes of their own: member -> kind.
const PARTS = {
  button: { text: "plain_text", icon: "icon", confirm: "confirm" },
  div: { text: "styled_text", icon: "icon" },
  markdown: { icon: "icon" },
  column_set: { action: "jump" },
  column: { action: "jump" },
  collapsible_panel: { header: "panel_header", border: "border" },
  panel_header: { title: "text", icon: "icon" },
  table: { header_style: "table_header" },
  table_column: { format: "table_format" },
  checker: {
    text: "styled_text", button_area: "button_area", checked_style: "checked_style", confirm: "confirm",
  },
  interactive_container: { confirm: "confirm" },
  header: { title: "text", subtitle: "text", icon: "icon" },
};
const LISTS = {
  table: { columns: "table_column" },
  select_static: { options: "option" },
  multi_select_static: { options: "option" },
  select_person: { options: "person_option" },
  multi_select_person: { options: "person_option" },
  overflow: { options: "overflow_option" },
  select_img: { options: "img_option" },
  header: { text_tag_list: "text_tag" },
};

/** Every fault of `object` and its own parts, as short lines: "button.colour is not known". */
export function faults(kind, object, where = kind) {
  const found = unknownAttributes(kind, object).map((name) => `${where}.${name}`);
  for (const [member, part] of Object.entries(PARTS[kind] ?? {})) {
    if (object[member]) found.push(...faults(part, object[member], `${where}.${member}`));
  }
  for (const [member, part] of Object.entries(LISTS[kind] ?? {})) {
    if (!Array.isArray(object[member])) continue;
    for (const item of object[member]) found.push(...faults(part, item, `${where}.${member}[]`));
  }
  for (const behavior of Array.isArray(object.behaviors) ? object.behaviors : []) {
    const type = behavior?.type;
    if (type !== "callback" && type !== "open_url") found.push(`${where}.behaviors: ${type}`);
    else found.push(...faults(type, behavior, `${where}.behaviors[]`));
  }
  return [...new Set(found)];
}
