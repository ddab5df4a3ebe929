typedef int admin_placeholder;
